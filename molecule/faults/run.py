# SPDX-FileCopyrightText: 2026 The selfhosting.lago authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""One run: load, a fault in the middle of it, and the counts afterwards."""

from __future__ import annotations

import contextlib
import datetime
import os
import subprocess
import time
from collections.abc import Callable, Iterator

from verify.waiting import eventually

from . import contexts, ledger, playbook, table, ways
from .sender import sending
from .stage import LONG_JOBS, WELL_SECONDS, Stage

# A fault is made, and is over, while events are sent and answered.
CALM_SECONDS = 60


def run(stage: Stage, row: dict) -> dict:
    """The line of this run."""
    began = time.monotonic()
    with context(stage, row):
        counts = measure(stage, lambda: way_of(row)(stage, **row["with"]))
    return {
        "suite": table.SUITE,
        "fault": row["name"],
        "repetition": stage.repetition,
        "commit": commit(),
        "at": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "seconds": round(time.monotonic() - began),
        # Other work on the machine makes every outage longer.
        "load": round(os.getloadavg()[0], 1),
        **counts,
    }


def way_of(row: dict) -> Callable[..., None]:
    return getattr(ways, row["way"], None) or getattr(playbook, row["way"])


def context(stage: Stage, row: dict) -> contextlib.AbstractContextManager:
    return getattr(contexts, row.get("within", "one_api_container"))(stage)


def measure(stage: Stage, fault: Callable[[], None]) -> dict:
    eventually(stage.is_well, seconds=WELL_SECONDS)
    stage.remember()
    with sending(stage.site, stage.pause_seconds) as sent:
        sent.wait_for_success(CALM_SECONDS)
        stage.enqueue_long_jobs()
        at_risk = stage.unfinished() + stage.unprocessed(sent.prefix)
        with healed_afterwards(stage):
            fault()
        well = stage.within(WELL_SECONDS, stage.is_well) and stage.within(
            CALM_SECONDS, lambda: sent.wait_for_success(CALM_SECONDS) or True
        )
        if not well:
            stage.heal()
    stage.settle(sent.prefix)
    return counts(stage, sent, at_risk) | {"human": int(stage.human or not well)}


@contextlib.contextmanager
def healed_afterwards(stage: Stage) -> Iterator[None]:
    """A fault that could not be made to its end is none of the next run's."""
    try:
        yield
    except Exception:
        stage.heal()
        raise


def counts(stage: Stage, sent, at_risk: int) -> dict:
    events = stage.events(sent.prefix)
    client = ledger.of_client(sent)
    return {
        **client,
        "found": sum(event in events for event in sent.accepted),
        "duplicates": sum(number - 1 for number in events.values()),
        "jobs": LONG_JOBS + len(events),
        # What was to be done when it happened, and what was only half accepted: saved, its job perhaps not enqueued.
        "jobs_at_risk": at_risk + client["retried"],
        "jobs_lost": stage.unfinished() + stage.unprocessed(sent.prefix),
        "clocks": stage.clocks(),
        "clocks_at_once": ledger.clocks_at_once(stage.ticks()),
    }


def commit() -> str:
    """The last one that changed what is installed."""
    command = ["git", "log", "-1", "--format=%h", "--abbrev=12", "--", "roles", "plugins", "playbooks", "versions.yml"]
    return subprocess.run(command, cwd=table.HERE.parents[1], capture_output=True, text=True, check=True).stdout.strip()
