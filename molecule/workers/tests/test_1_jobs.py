# SPDX-FileCopyrightText: 2026 The selfhosting.lago authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Each kind of job is worked on by its own worker, and a stop of a worker loses none."""

from verify import inside, jobs
from verify.outside import new_event
from verify.waiting import eventually

PDFS = "mash-lago-pdfs-worker"
EVENTS = "mash-lago-events-worker"
DEFAULT = "mash-lago-api-worker"


def test_every_job_goes_to_the_worker_of_its_kind(host, site):
    event = site.client().events.create(new_event())
    processed = (
        f"SELECT count(*) FROM events WHERE transaction_id = '{event.transaction_id}' AND processed_at IS NOT NULL"
    )
    invoice = site.post("/api/v1/invoices", {"invoice": {}}, Authorization=site.authorization).json["invoice"]
    site.post(f"/api/v1/invoices/{invoice['lago_id']}/download", Authorization=site.authorization)
    # The clock enqueues a job every ten seconds, and no worker of its own is there for it.
    eventually(lambda: inside.sql(host, processed) == "1")
    for job_class, expected in (
        ("EventsPostProcessJob", {EVENTS}),
        ("InvoicePdfJob", {PDFS}),
        ("Clock::TickJob", {DEFAULT}),
    ):
        found = eventually(lambda job_class=job_class: jobs.workers_of(host, job_class), seconds=90)
        assert found <= expected, job_class


def test_a_worker_in_the_middle_of_its_jobs_is_stopped(host):
    """Short jobs finish; what takes longer than it may goes back, and another worker does it from the beginning."""
    jobs.enqueue_sleep(host, 4, 2, "events")
    jobs.enqueue_sleep(host, 44, 1, "events")
    eventually(lambda: jobs.states(host, "events").get("started") == 3, seconds=90)
    host.check_output("systemctl stop %s", EVENTS)
    assert inside.properties(host, EVENTS, "Result") == {"Result": "success"}
    assert jobs.states(host, "events") == {"enqueued": 3, "started": 3, "finished": 2}
    said = host.check_output(
        "journalctl --sync; journalctl --unit=%s --output=cat --grep='still works|container ended'", EVENTS
    )
    assert "still works after 5 s" in said
    assert "container ended with exit code 0, out of memory: false" in said
    host.check_output("systemctl start %s", EVENTS)
    eventually(lambda: jobs.states(host, "events").get("finished") == 3, seconds=180)
    assert jobs.states(host, "events") == {"enqueued": 3, "started": 4, "finished": 3}


def test_postgres_waits_for_the_workers_before_it_restarts(host):
    """A job that meets a database which is gone would fail for good; the API and the clock go on."""
    before = inside.invocations(host)
    jobs.enqueue_sleep(host, 3, 8, "low_priority")
    eventually(lambda: jobs.states(host, "low_priority").get("started", 0) > 0, seconds=90)
    host.check_output("systemctl restart mash-postgres")
    eventually(lambda: jobs.states(host, "low_priority").get("finished") == 8, seconds=180)
    eventually(lambda: inside.all_active(host), seconds=120)
    after = inside.invocations(host)
    assert {unit for unit in before if before[unit] != after[unit]} == {
        "mash-postgres.service",
        *(f"{worker}.service" for worker in (DEFAULT, EVENTS, PDFS)),
    }


def test_a_worker_that_was_quieted_and_forgotten(host, site):
    """At the watchdog's first look somebody may be about to stop the worker. Its timer is not waited for."""
    host.check_output("docker kill --signal=TSTP %s", EVENTS)
    # Sidekiq says so in its title within 10 s.
    eventually(lambda: "stopping" in host.check_output("docker top %s", EVENTS))
    event = site.client().events.create(new_event())
    processed = (
        f"SELECT count(*) FROM events WHERE transaction_id = '{event.transaction_id}' AND processed_at IS NOT NULL"
    )
    before = inside.invocations(host)
    assert inside.sql(host, processed) == "0"
    for _look in range(2):
        host.check_output("systemctl start mash-lago-watchdog.service")
    eventually(lambda: inside.sql(host, processed) == "1", seconds=90)
    after = inside.invocations(host)
    assert {unit for unit in before if before[unit] != after[unit]} == {f"{EVENTS}.service"}
