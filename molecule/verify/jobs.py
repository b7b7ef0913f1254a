# SPDX-FileCopyrightText: 2026 The selfhosting.lago authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Jobs of the stand-in: which ran where, and whether each did to its end, once."""

from __future__ import annotations

from . import inside


def enqueue_sleep(host, seconds: float, count: int, queue: str) -> None:
    task = f"standin:enqueue_sleep[{seconds},{count},{queue}]"
    host.check_output("docker exec mash-lago-api-worker rails %s", task)


def states(host, queue: str, job_class: str = "SleepJob") -> dict[str, int]:
    """How often jobs of a queue were enqueued, started and finished."""
    query = f"SELECT state, count(*) FROM jobs_log WHERE job_class = '{job_class}' AND queue = '{queue}' GROUP BY state"
    return {state: int(number) for state, number in (row.split("|") for row in inside.sql(host, query).split())}


def workers_of(host, job_class: str) -> set[str]:
    """Names of the containers in which jobs of a class finished."""
    names = {container["Config"]["Hostname"]: name for name, container in inside.containers(host).items()}
    query = f"SELECT DISTINCT host FROM jobs_log WHERE job_class = '{job_class}' AND state = 'finished'"
    return {names.get(hostname, hostname) for hostname in inside.sql(host, query).split()}
