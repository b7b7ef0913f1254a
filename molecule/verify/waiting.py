# SPDX-FileCopyrightText: 2026 The selfhosting.lago authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Waiting for what a server does in its own time, always with a deadline."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def eventually(ask: Callable[[], T], *, seconds: float = 60, every: float = 0.3) -> T:
    """The first answer that is true; an exception counts as "not yet". In the end it is raised, or the answer shown."""
    deadline = time.monotonic() + seconds
    while True:
        answer, error = None, None
        try:
            answer = ask()
        except Exception as raised:
            error = raised
        if answer:
            return answer
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {seconds:.0f} s; the last answer was {error or answer!r}") from error
        time.sleep(every)


def throughout(ask: Callable[[], bool], *, seconds: float, every: float = 0.5) -> None:
    """Something stays as it is; to see that nothing happens takes time."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        assert ask()
        time.sleep(every)
