# SPDX-FileCopyrightText: 2026 The selfhosting.lago authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""What takes something away is done only when somebody names the host that it happens to."""

from __future__ import annotations

import typing as t

from ansible.errors import AnsibleActionFail, AnsibleError
from ansible.utils.display import Display

display = Display()


def named(host: str, given: str | None) -> bool:
    """Whether the host is among the names that were given, separated by commas."""
    return host in [name.strip() for name in str(given or "").split(",")]


def ask(question: str) -> str | None:
    """What somebody types; None where nobody is at a terminal."""
    try:
        answer: t.Any = display.prompt_until(question)
    except AnsibleError as error:
        answer = error
    # The main process asks on behalf of its workers, and hands back its errors as answers.
    return None if isinstance(answer, BaseException) else bytes(answer).decode(errors="replace").strip()


def require(host: str, given: str | None, what: str, option: str = "confirm") -> None:
    """Fail unless the host was named on the command line, or is named now."""
    if named(host, given):
        return
    if given:
        raise AnsibleActionFail(
            f"{option} is {given!r}, and this host is {host}: nothing was changed. "
            f"Type its name: -e {option}={host}, for several hosts separated by commas; or limit the run with -l."
        )
    answer = ask(f"{host}: {what} Type {host} to go on: ")
    if answer is None:
        raise AnsibleActionFail(f"Nothing was changed: nobody is there to confirm it. Type -e {option}={host}")
    if answer != host:
        raise AnsibleActionFail(f"Nothing was changed: {answer!r} is not {host}.")
