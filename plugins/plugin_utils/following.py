# SPDX-FileCopyrightText: 2026 The selfhosting.lago authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Follow a unit of the server to its end, and show what it says."""

from __future__ import annotations

import re
import sys
import typing as t

from ansible.errors import AnsibleActionFail
from ansible.utils.display import Display

display = Display()
# What Docker says where the program is a container, and its unit of the container's end.
NOISE = re.compile(r"[0-9a-f]{64}$|Error response from daemon: No such container|container ended with ")


def follow(
    action: t.Any,
    host: str,
    unit: str,
    task_vars: t.Mapping,
    *,
    name: str = "",
    lease: t.Mapping | None = None,
    **first: t.Any,
) -> list[str]:
    """What it said; progress is for people at a terminal only. `first` is what the module is told when it starts it.
    With `lease` no other run changes the server meanwhile.
    """
    watched = sys.stdout.isatty()
    spoken: list[str] = []
    answer: dict = {"running": True, "cursor": None}
    while answer["running"]:
        asked = {"unit": unit, **({"cursor": answer["cursor"]} if answer["cursor"] else first)}
        if lease:
            asked["lease"] = dict(lease)
        answer = action._execute_module(
            module_name="selfhosting.lago.server_program", module_args=asked, task_vars=task_vars
        )
        if answer.get("failed"):
            raise AnsibleActionFail(answer.get("msg") or f"{unit} cannot be followed", result=answer)
        for line in [line for line in answer["lines"] if not NOISE.match(line["text"])]:
            if watched or not line["progress"]:
                display.display(f"{host}: {line['text']}")
            if not line["progress"]:
                spoken.append(line["text"])
    if answer["result"] != "success":
        said = "\n".join(spoken[-20:]) or f"See: journalctl --unit={unit}"
        raise AnsibleActionFail(f"{host}: {name or unit} failed ({answer['result']}):\n{said}")
    return spoken
