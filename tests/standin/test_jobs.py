# SPDX-FileCopyrightText: 2026 The selfhosting.lago authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Workers and clock: what is lost, what is pushed back, what only looks well."""

import json
from concurrent.futures import ThreadPoolExecutor

import pytest

from .conftest import eventually


def enqueue(bed, seconds, count, queue):
    bed.api.execute("rails", f"standin:enqueue_sleep[{seconds},{count},{queue}]")


def states(bed, queue):
    rows = bed.sql(f"SELECT state, count(*) FROM jobs_log WHERE queue = '{queue}' GROUP BY 1")
    return {state: int(count) for state, count in (row.split("|") for row in rows.split())}


@pytest.fixture(scope="module")
def workers(bed):
    """One worker per experiment, each with a queue of its own."""
    kinds = {"ai_agent": "drained", "payments": "killed", "events": "quiet"}
    containers = {name: bed.lago(f"./scripts/start.{kind}.worker.sh") for kind, name in kinds.items()}
    for container in containers.values():
        bed.ready(container, 8080, "/")
    return containers


def test_jobs_run(bed):
    enqueue(bed, 0.01, 50, "low_priority")
    eventually(lambda: states(bed, "low_priority") == {"enqueued": 50, "started": 50, "finished": 50})


@pytest.fixture(scope="module")
def stop_under_way(bed, workers):
    """It takes Sidekiq's 25 s: the other tests run meanwhile."""
    enqueue(bed, 60, 3, "ai_agent")
    eventually(lambda: states(bed, "ai_agent").get("started") == 3)
    with ThreadPoolExecutor() as pool:
        yield pool.submit(workers["drained"].stop, 60)


def test_killed_worker_loses_its_jobs(bed, workers, stop_under_way):
    enqueue(bed, 60, 2, "payments")
    eventually(lambda: states(bed, "payments").get("started") == 2)
    workers["killed"].kill("KILL")
    assert bed.redis("LLEN", "queue:payments") == "0"


def test_quiet_worker_takes_nothing_and_looks_well(bed, workers):
    workers["quiet"].kill("TSTP")
    eventually(lambda: "quiet" in workers["quiet"].logs())
    enqueue(bed, 0, 1, "events")
    assert bed.redis("LLEN", "queue:events") == "1"
    assert "started" not in states(bed, "events")
    assert workers["quiet"].execute("curl", "-fsS", "http://localhost:8080") == "Live!"
    assert workers["quiet"].stop(20)[1] == 0


def test_clock_ticks_and_stops_at_once(bed):
    def ticks():
        return int(bed.sql("SELECT count(*) FROM clock_ticks WHERE event = 'schedule:tick'"))

    before = ticks()
    eventually(lambda: ticks() >= before + 2)
    eventually(
        lambda: bed.sql("SELECT 1 FROM jobs_log WHERE job_class = 'Clock::TickJob' AND state = 'finished' LIMIT 1")
    )
    # A shared cache is configured, so the wallets are refreshed.
    assert "schedule:refresh_wallets" in bed.clock.logs()
    second = bed.lago("./scripts/start.clock.sh", LAGO_REDIS_CACHE_URL=None, LAGO_DISABLE_LIFETIME_USAGE_REFRESH="true")
    line = eventually(lambda: next((line for line in second.logs().splitlines() if "Starting clock for" in line), None))
    assert "[ schedule:tick schedule:bill_customers schedule:finalize_invoices ]" in line
    assert second.stop(10)[1] == 0


def test_billing_is_locked(bed):
    command = "puts Array.new(3) { BillOrganizationJob.set(wait: 1.hour).perform_later('o', 'd').class }.join(' ')"
    said = bed.api.execute("rails", "runner", command).splitlines()
    assert "BillOrganizationJob FalseClass FalseClass" in said
    assert "bill_organization_job" in bed.redis("KEYS", "activejob_uniqueness:*")


def test_billing_ends_and_gives_its_lock_back(bed):
    command = "BillOrganizationJob.perform_later('two', 'd'); BillOrganizationJob.perform_now('two', 'd')"
    before = bed.redis("KEYS", "activejob_uniqueness:*")
    bed.api.execute("rails", "runner", command)
    eventually(lambda: bed.redis("KEYS", "activejob_uniqueness:*") == before)


def test_worker_without_redis_answers_404(bed):
    worker = bed.lago("./scripts/start.webhook.worker.sh", REDIS_PASSWORD="wrong")
    eventually(lambda: "NOAUTH" in worker.logs() or "WRONGPASS" in worker.logs())


def test_count_of_jobs(bed):
    rows = json.loads(bed.api.execute("rails", "standin:jobs"))
    assert {"job", "state", "rows", "jobs"} == set(rows[0])


def test_stop_pushes_unfinished_jobs_back(bed, stop_under_way):
    seconds, code = stop_under_way.result()
    assert code == 0
    assert seconds > 24
    assert bed.redis("LLEN", "queue:ai_agent") == "3"
    assert "finished" not in states(bed, "ai_agent")
