# SPDX-FileCopyrightText: 2026 The selfhosting.lago authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""What was found on all hosts as one text."""

from __future__ import annotations

import typing as t


def listed(found: t.Mapping[str, t.Sequence[str]]) -> str:
    """Numbered, below the hosts that it is about; what several hosts have in common is told once."""
    hosts: dict[str, list[str]] = {}
    for host, texts in found.items():
        for text in texts:
            hosts.setdefault(text, []).append(host)
    groups: dict[str, list[str]] = {}
    for text, names in hosts.items():
        groups.setdefault(", ".join(dict.fromkeys(names)), []).append(text)
    lines, number = [], 0
    for names, texts in groups.items():
        lines.append(f"{names}:")
        for text in texts:
            number += 1
            lines.append(f"  {number}. {text}")
    return "\n".join(lines)


def refusal(found: t.Mapping[str, t.Sequence[str]]) -> str:
    """Why nothing is done; empty where nothing was found."""
    count = len({text for texts in found.values() for text in texts})
    if not count:
        return ""
    fine = [host for host, texts in found.items() if not texts]
    without = f"\nNothing to correct for {', '.join(fine)}." if fine else ""
    return f"Nothing was changed on any host; {count} to correct first:\n{listed(found)}{without}"
