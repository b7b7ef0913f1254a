# SPDX-FileCopyrightText: 2026 The selfhosting.lago authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""How far something is that takes long, in words."""

from __future__ import annotations

import re
import typing as t


def lasting(seconds: float) -> str:
    minutes, seconds = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes}:{seconds:02}"


def remaining(elapsed: float, done: int, total: int) -> str:
    """How long it has taken, and will still take if the rest goes as what is done."""
    text = f"{lasting(elapsed)} so far"
    return f"{text}, about {lasting(elapsed * (total - done) / done)} to go" if 0 < done < total else text


def far(progress: t.Mapping, said: t.Sequence[str], elapsed: float) -> str:
    """Of a step that does not know how much there is to do: how much is done, and what it said last."""
    parts = []
    if progress:
        done = sum(1 for line in said if re.match(progress["pattern"], line))
        parts.append(f"{done} {progress['parts']} done")
    parts.append(f"{lasting(elapsed)} so far")
    return ", ".join(parts) + (f"; {said[-1].strip()}" if said else "")
