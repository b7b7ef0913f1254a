# SPDX-FileCopyrightText: 2026 The selfhosting.lago authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""What a run cost: counts of the client's side and of the server's, and what a row of the table allows."""

from __future__ import annotations

from collections.abc import Sequence

from . import sender
from .sender import Attempt

# Within no outage, or at once after it, nobody needs to know it to the millisecond.
DIGITS = 1


def outages(attempts: Sequence[Attempt]) -> list[tuple[float, float]]:
    """Each from when a request began that failed, to the end of the first that began later and did not fail."""
    found: list[tuple[float, float]] = []
    opened = None
    for attempt in sorted(attempts, key=lambda one: one.end):
        if attempt.failed:
            opened = attempt.begin if opened is None else min(opened, attempt.begin)
        elif opened is not None and attempt.begin > opened:
            found.append((opened, attempt.end))
            opened = None
    if opened is not None:
        found.append((opened, max(attempt.end for attempt in attempts)))
    return joined(found)


def joined(spans: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """Spans that overlap are one: several senders see the same outage."""
    found: list[tuple[float, float]] = []
    for begin, end in sorted(spans):
        if found and begin <= found[-1][1]:
            found[-1] = (found[-1][0], max(end, found[-1][1]))
        else:
            found.append((begin, end))
    return found


def of_client(sent: sender.Sender) -> dict[str, int | float]:
    attempts = list(sent.attempts)
    return {
        "requests": len(attempts),
        "failed": sum(attempt.failed for attempt in attempts),
        "failed_seconds": round(sum(end - begin for begin, end in outages(attempts)), DIGITS),
        "slowest": round(max((attempt.end - attempt.begin for attempt in attempts), default=0), DIGITS),
        "accepted": len(sent.accepted),
        "retried": sum(tries > 1 for tries in sent.accepted.values()),
        "final": len(sent.final),
    }


def clocks_at_once(ticks: Sequence[tuple[str, float]]) -> int:
    """The most clocks that lived at the same time: each from its first tick to its last."""
    lives: dict[str, tuple[float, float]] = {}
    for clock, moment in ticks:
        begin, end = lives.get(clock, (moment, moment))
        lives[clock] = (min(begin, moment), max(end, moment))
    return max((sum(b <= begin <= e for b, e in lives.values()) for begin, _end in lives.values()), default=0)


def broken_wishes(line: dict, row: dict) -> list[str]:
    """In which ways the counts of a run are not what its row wants."""
    wanted = {
        f"found {line['found']} of {line['accepted']} accepted": line["found"] == line["accepted"],
        f"{line['duplicates']} duplicates": line["duplicates"] == 0,
        f"{line['final']} answers that a client takes as final": line["final"] == 0,
        f"{line['clocks']} clocks alive, {line['clocks_at_once']} at once": line["clocks"]
        == line["clocks_at_once"]
        == 1,
        "a human was needed": line["human"] == 0,
        f"{line['jobs_lost']} jobs lost, allowed {jobs_allowed(line, row)}": line["jobs_lost"]
        <= jobs_allowed(line, row),
    }
    if (allowed := requests_allowed(row)) is not None:
        wanted[f"{line['failed']} requests failed, allowed {allowed}"] = line["failed"] <= allowed
    return [text for text, holds in wanted.items() if not holds]


def jobs_allowed(line: dict, row: dict) -> int:
    return line["jobs_at_risk"] if row.get("may_lose") == "jobs" else 0


def requests_allowed(row: dict) -> int | None:
    """How many requests may fail; none where one API container cannot do without an outage."""
    return {"none": 0, "in flight": sender.SENDERS}.get(row.get("may_fail", ""))
