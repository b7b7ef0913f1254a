# SPDX-FileCopyrightText: 2026 The selfhosting.lago authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""What a run restarts: what it said, nothing else, in order, and without a failed request."""

import pytest
from verify import inside, jobs, plays
from verify.load import load
from verify.waiting import eventually

PDFS = "mash-lago-pdfs-worker.service"
EVENTS = {"kind": "events", "concurrency": 3, "memory": "1g"}
API = ["mash-lago-api-2.service", "mash-lago-api.service"]
PROCESSES = {*API, "mash-lago-api-clock.service", "mash-lago-api-worker.service", "mash-lago-events-worker.service"}
CLOCK_WORKER_API = ["mash-lago-api-clock", "mash-lago-api-worker", "mash-lago-api"]


def restarted(before, host) -> set[str]:
    after = inside.invocations(host)
    return {unit for unit in before if before[unit] != after.get(unit)}


def moments(host, unit: str) -> tuple[int, int]:
    """When the unit last began to stop and last began to start, in microseconds since boot."""
    seen = inside.properties(host, f"{unit}.service", "ActiveExitTimestampMonotonic", "InactiveExitTimestampMonotonic")
    return int(seen["ActiveExitTimestampMonotonic"]), int(seen["InactiveExitTimestampMonotonic"])


def test_another_concurrency_restarts_the_workers_of_that_kind(host, play):
    before = inside.invocations(host)
    done = play(lago_workers=[EVENTS, {"kind": "pdfs", "concurrency": 1}])
    assert done.units == {PDFS: "restart"}
    assert restarted(before, host) == {PDFS}


# The scenario `faults` restarts one API container of two as well, and counts.
@pytest.mark.long
def test_a_restart_of_the_api(host, site, play):
    before = inside.invocations(host)
    with load(site) as sent:
        assert play("--tags=restart-group", group="lago-api").units == dict.fromkeys(API, "restart")
    sent.assert_all_arrived(host)
    assert restarted(before, host) == set(API)


def test_a_changed_setting_and_a_kind_less(host, site, play, other_time_zone):
    """The flag goes first, then what waits is done, then the worker goes; meanwhile no request fails."""
    jobs.enqueue_sleep(host, 3, 4, "pdfs")
    before = inside.invocations(host)
    with load(site) as sent:
        done = play(lago_workers=[EVENTS], lago_environment_variables_tz=other_time_zone)
    sent.assert_all_arrived(host)
    assert done.units == dict.fromkeys(PROCESSES, "restart") | {PDFS: "remove"}
    assert restarted(before, host) == PROCESSES | {PDFS}
    assert jobs.states(host, "pdfs") == {"enqueued": 4, "started": 4, "finished": 4}
    assert "SIDEKIQ_PDFS" not in host.check_output("docker exec mash-lago-api env")
    assert [name for name in inside.containers(host) if "pdfs" in name] == []

    times = [moments(host, unit) for unit in CLOCK_WORKER_API]
    assert times == sorted(times), "the clock stops first, then the worker, then the API"
    begun = [start for _stop, start in times]
    assert begun == sorted(begun, reverse=True), "and the other way round they are started"


NEW = "v1.53.0"
BROKEN = "v1.53.0-broken"


@pytest.fixture
def broken_image(host):
    """The new version with a migration that fails half way, made on the server: no registry has it."""
    host.check_output(
        "printf 'FROM getlago/api:%s\\nRUN ruby db/assemble.rb %s\\n' | docker build --quiet --tag getlago/api:%s -",
        NEW,
        BROKEN,
        BROKEN,
    )
    return BROKEN


# The scenario `faults` makes both as well, and counts.
@pytest.mark.long
def test_a_migration_that_fails_leaves_the_old_version_serving(host, site, play, server, broken_image, other_time_zone):
    change = {"lago_workers": [EVENTS], "lago_environment_variables_tz": other_time_zone}
    before = inside.invocations(host)
    host.check_output("docker pull --quiet getlago/api:%s", NEW)
    with load(site) as sent:
        failed = plays.attempt(server.name, lago_api_container_image_tag=broken_image, **change)
    said = failed.stdout + failed.stderr
    assert failed.returncode != 0
    assert "mash-lago-migrate.service failed; nothing after it was changed." in said
    assert "This migration fails half way" in said
    sent.assert_all_arrived(host)
    assert restarted(before, host) == set()
    # Nor would a reboot start anything of the new version.
    assert broken_image not in host.check_output("cat /etc/systemd/system/mash-lago-api*.service")

    with load(site) as sent:
        done = play(lago_api_container_image_tag=NEW, **change)
    sent.assert_all_arrived(host)
    assert done.units == dict.fromkeys(PROCESSES, "restart") | {"mash-lago-migrate.service": "run"}
    assert restarted(before, host) == PROCESSES
    images = {name: one["Config"]["Image"] for name, one in inside.containers(host).items()}
    assert {images[unit.removesuffix(".service")] for unit in PROCESSES} == {f"docker.io/getlago/api:{NEW}"}
    eventually(lambda: inside.all_active(host))
