# SPDX-FileCopyrightText: 2026 The selfhosting.lago authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""The server that faults are made on: what it holds, when it is well again, and runs of the playbook on it."""

from __future__ import annotations

import re
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from testbed import servers
from verify import inside, jobs, plays
from verify.outside import Site
from verify.queue import Valkey
from verify.waiting import eventually

# Jobs that are in progress (as many as the worker's concurrency) or wait when the fault comes, and how long one takes.
LONG_JOBS = 8
LONG_JOB_SECONDS = 4
QUEUE = "low_priority"
# A server whose units have to recover one after the other, on a busy machine; what takes longer needs a human.
WELL_SECONDS = 300
SETTLED_SECONDS = 180
# A long job twice, and Sidekiq's wait for a queue that had gone.
QUIET_SECONDS = 2 * LONG_JOB_SECONDS + 6
# Two ticks of the clock and some more (host_vars).
CLOCK_SECONDS = 8
API = "mash-lago-api"
ENQUEUE = Path(__file__).parent / "enqueue.rb"


@dataclass
class Stage:
    host: object
    server: servers.Server
    site: Site
    repetition: int
    # How long an outage lasts that the fault itself ends.
    outage_seconds: float
    # How long a migration takes that is to be found in the middle of it.
    migration_seconds: float
    # Between two events of one sender.
    pause_seconds: float
    # Did the fault's own way of ending it not work?
    human: bool = False
    # Units that are to be down.
    stopped: set[str] = field(default_factory=set)
    notes: dict = field(default_factory=dict)

    def hold(self) -> None:
        """Not a wait for something: the fault is that long."""
        time.sleep(self.outage_seconds)

    # Runs of the playbook

    def current(self) -> dict[str, object]:
        """What earlier runs have changed, so that the next one leaves it."""
        containers = inside.containers(self.host)
        api, front = (containers[name]["Config"] for name in (API, "mash-lago-front"))
        return {
            "lago_api_container_image_tag": tag_of(api["Image"]),
            # Further versions are made of the API only.
            "lago_front_container_image_tag": tag_of(front["Image"]),
            "lago_environment_variables_tz": time_zone_of(api),
            "lago_api_replicas": self.replicas(),
        }

    def time_zone(self) -> str:
        return time_zone_of(inside.containers(self.host)[API]["Config"])

    def replicas(self) -> int:
        return len(
            [unit for unit in inside.installed_units(self.host) if re.fullmatch(rf"{API}(-\d+)?\.service", unit)]
        )

    def play(self, *arguments: str, **changes: object) -> subprocess.CompletedProcess[str]:
        return plays.attempt(self.server.name, *arguments, **(self.current() | changes))

    def must_play(self, *arguments: str, **changes: object) -> None:
        done = self.play(*arguments, **changes)
        assert done.returncode == 0, done.stdout + done.stderr

    def begin(self, *arguments: str, **changes: object) -> subprocess.Popen[str]:
        return plays.begin(self.server.name, *arguments, **(self.current() | changes))

    # Jobs

    def enqueue_long_jobs(self) -> None:
        command = "docker exec %s ruby -e %s %s %s %s"
        self.host.check_output(command, API, ENQUEUE.read_text(), str(LONG_JOB_SECONDS), str(LONG_JOBS), QUEUE)
        eventually(lambda: jobs.states(self.host, QUEUE).get("started", 0) > self.notes["started"] + 3, seconds=120)

    def remember(self) -> None:
        """From here on, what is in the logs of jobs and ticks is of this run."""
        self.notes["tick"] = int(inside.sql(self.host, "SELECT coalesce(max(id), 0) FROM clock_ticks"))
        self.notes["first"] = int(inside.sql(self.host, "SELECT coalesce(max(id), 0) FROM jobs_log"))
        self.notes["started"] = jobs.states(self.host, QUEUE).get("started", 0)

    def unfinished(self) -> int:
        """How many of the long jobs of this run nobody has finished."""
        query = (
            "SELECT count(DISTINCT job_id) FROM jobs_log"
            f" WHERE job_class = 'SleepJob' AND state = 'finished' AND id > {self.notes['first']}"
        )
        return LONG_JOBS - int(inside.sql(self.host, query))

    def unprocessed(self, prefix: str) -> int:
        query = f"SELECT count(*) FROM events WHERE processed_at IS NULL AND transaction_id LIKE '{prefix}-%'"
        return int(inside.sql(self.host, query))

    # Getting well

    def is_well(self) -> bool:
        states = inside.states(self.host)
        down = {unit: state for unit, state in states.items() if state != "active" and unit not in self.stopped}
        assert not down, f"not up: {down}"
        return bool(states)

    def within(self, seconds: float, ask: Callable[[], object]) -> bool:
        """Whether it comes true; that it did not is a finding and no error."""
        try:
            eventually(ask, seconds=seconds)
        except AssertionError as error:
            print(error)
            return False
        return True

    def settle(self, prefix: str) -> None:
        """Until all jobs are done, or none waits and none has been done for longer than one takes: the rest is lost."""
        seen: tuple[int, int] | None = None
        since = time.monotonic()

        def settled() -> bool:
            nonlocal seen, since
            now = self.unprocessed(prefix), self.unfinished()
            if now == (0, 0):
                return True
            if now != seen or Valkey(self.host).queued() > 0:
                seen, since = now, time.monotonic()
            return time.monotonic() - since > QUIET_SECONDS

        self.within(SETTLED_SECONDS, settled)

    def heal(self) -> None:
        """What a human would do, so that the next run finds a server that is well."""
        self.host.run("systemctl start docker.socket docker.service")
        self.host.run("systemctl reset-failed")
        self.host.run(f"systemctl start {' '.join(inside.installed_units(self.host))}")
        eventually(self.is_well, seconds=WELL_SECONDS)

    # Counts

    def events(self, prefix: str) -> dict[str, int]:
        query = f"SELECT transaction_id, count(*) FROM events WHERE transaction_id LIKE '{prefix}-%' GROUP BY 1"
        rows = (line.split("|") for line in inside.sql(self.host, query).splitlines())
        return {event: int(number) for event, number in rows}

    def ticks(self, seconds: float | None = None) -> list[tuple[str, float]]:
        """Each tick of a clock since the run began or in the last seconds: which clock, when."""
        since = (
            f"created_at > now() AT TIME ZONE 'UTC' - interval '{seconds} s'"
            if seconds
            else f"id > {self.notes['tick']}"
        )
        query = f"SELECT host || '/' || pid, extract(epoch FROM created_at) FROM clock_ticks WHERE {since}"
        rows = (line.split("|") for line in inside.sql(self.host, query).splitlines())
        return [(clock, float(moment)) for clock, moment in rows]

    def clocks(self) -> int:
        """Clocks that tick now; a clock that has just been started is waited for."""
        seen: list[tuple[str, float]] = []
        self.within(60, lambda: seen.extend(self.ticks(CLOCK_SECONDS)) or seen)
        return len({clock for clock, _moment in seen})


def time_zone_of(configuration: dict) -> str:
    return dict(line.split("=", 1) for line in configuration["Env"])["TZ"]


def tag_of(image: str) -> str:
    return image.partition("@")[0].rpartition(":")[2]
