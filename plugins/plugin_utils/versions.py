# SPDX-FileCopyrightText: 2026 The selfhosting.lago authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Lago's version numbers: v1.52.1, also with a suffix such as -broken, which sorts with its release."""

from __future__ import annotations

import re
import typing as t

PATTERN = re.compile(r"^v?(\d+)\.(\d+)\.(\d+)(?:-[0-9A-Za-z.-]+)?\Z")


def lago_version(text: str) -> tuple[int, int, int]:
    """The number as a tuple that compares; ValueError where it is none."""
    match = PATTERN.match(str(text))
    if not match:
        raise ValueError(f"{text!r} is no Lago version; expected something like v1.52.1")
    major, minor, patch = match.groups()
    return int(major), int(minor), int(patch)


def stops_between(stops: t.Iterable[t.Mapping], present: str, wanted: str) -> list[t.Mapping]:
    """The releases at which an upgrade has to stop on its way, oldest first; none where nothing is there yet."""
    if not present:
        return []
    return [
        stop
        for stop in stops
        if lago_version(present) < lago_version(stop["at"]) and lago_version(stop["before"]) <= lago_version(wanted)
    ]
