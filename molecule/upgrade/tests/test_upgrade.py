# SPDX-FileCopyrightText: 2026 The selfhosting.lago authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""A server on its way from one release to another and back, while events are sent all the time.

The tests build on each other: each begins where the one before it ended.
"""

import contextlib
import json
import re

import pytest
from verify import inside, plays
from verify.load import load
from verify.waiting import eventually

RECORD = "/mash/selfhosting-lago/records/mash-lago-upgrade.json"
SECRET = "sk_secret_of_test"
# The stand-in is ahead of what the collection has read.
NEWEST = {"lago_version_highest": "v1.53.0"}
# Only the web server reads it, so that the migration succeeds and the API never gets ready.
UNREADY = {"lago_api_environment_variables_additional_variables": "RAILS_MIN_THREADS=none"}


def attempt(server, verb, **variables):
    return plays.attempt(server.name, playbook=f"playbooks/{verb}.yml", confirm=server.name, **NEWEST, **variables)


def words(done) -> str:
    """All that was said, in one line."""
    return " ".join((done.stdout + done.stderr).split())


def release(host) -> str:
    images = {container["Config"]["Image"] for container in inside.containers(host).values()}
    (found,) = {image.rpartition(":")[2] for image in images if "getlago/api" in image}
    return found


def record(host) -> dict:
    return json.loads(host.file(RECORD).content_string)


@contextlib.contextmanager
def sending(host, site):
    """Events all the time: what was accepted is there afterwards, and who was not was told to try again.

    A connection that breaks, or waits too long on a machine with much to do, is tried again as well.
    """
    with load(site) as found:
        yield found
    assert found.accepted
    assert inside.event_rows(host, found.accepted) == len(found.accepted)
    assert {answer for answer in found.failed if isinstance(answer, int)} <= {503}, found.failed


@pytest.fixture(scope="module")
def stored():
    """What one test leaves for another."""
    return {}


def test_the_plan_changes_nothing(host, site, server):
    host.check_output("docker exec mash-lago-api rails 'standin:store_secret[stripe,%s]'", SECRET)
    assert eventually(lambda: site.post_event().status == 200)
    before = inside.invocations(host)
    done = attempt(server, "upgrade_plan", upgrade_to="v1.53.0")
    assert done.returncode == 0, done.stdout + done.stderr
    text = words(done)
    assert "Lago v1.51.0 is there (schema 20260422085615)" in text
    assert re.search(r"1\. v1\.52\.1 .* mandatory stop v1\.52\.0 .* 2\. v1\.53\.0", text)
    assert inside.invocations(host) == before
    assert not host.file(RECORD).exists


def test_a_jump_over_the_stop_is_refused(host, server):
    done = plays.attempt(server.name, "--tags=install-all,start", lago_version="v1.53.0", **NEWEST)
    assert done.returncode != 0
    assert "just upgrade" in words(done)
    assert release(host) == "v1.51.0"


def test_over_the_stop_to_a_release_whose_migration_fails(host, site, server):
    """The stop is made, its task is run; then the older release goes on serving."""
    with sending(host, site):
        done = attempt(server, "upgrade", upgrade_to="v1.53.0-broken")
    assert done.returncode != 0
    text = words(done)
    assert "is good: restored on trial and compared" in text
    assert "rails upgrade:perform_required_jobs" in text
    assert "v1.52.1 goes on serving, on the database as it is now" in text
    assert release(host) == "v1.52.1"
    assert inside.all_active(host)
    assert inside.sql(host, "SELECT count(*) FROM organizations WHERE filter_code IS NULL") == "0"
    # Nothing was put back: what the migration did before it failed is there.
    assert inside.sql(host, "SELECT count(*) FROM organizations WHERE half_done") == "1"
    assert (record(host)["state"], record(host)["from"], record(host)["done"]) == ("running", "v1.51.0", ["v1.52.1"])


def test_an_invalid_index_is_named_with_what_removes_it(host, server):
    inside.sql(host, "INSERT INTO roles (name) VALUES ('twin')")
    inside.sql(host, "ALTER TABLE roles ADD COLUMN twin int")
    made = host.run(
        "docker exec mash-postgres psql --username=root --dbname=lago --command=%s",
        "CREATE UNIQUE INDEX CONCURRENTLY half_made ON roles (twin) NULLS NOT DISTINCT",
    )
    assert made.rc != 0
    done = attempt(server, "upgrade", upgrade_to="v1.53.0-broken")
    assert done.returncode != 0
    command = re.search(r"docker exec mash-postgres psql [^']*'DROP INDEX CONCURRENTLY public\.half_made'", words(done))
    assert command, done.stdout + done.stderr
    host.check_output(command[0])
    assert inside.sql(host, "SELECT count(*) FROM pg_index WHERE NOT indisvalid") == "0"


def test_a_release_whose_containers_never_get_ready(host, site, server):
    done = attempt(server, "upgrade", upgrade_to="v1.53.0", upgrade_close_ingest=True, **UNREADY)
    assert done.returncode != 0
    text = words(done)
    assert "v1.53.0, whose containers do not get ready" in text
    assert f"just rollback -l {server.name}" in text
    answer = site.post_event()
    assert answer.status == 503
    assert int(answer.headers["retry-after"]) > 0


def test_it_goes_on_where_it_was(host, site, server):
    """What was wrong is corrected."""
    done = attempt(server, "upgrade", upgrade_to="v1.53.0")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "an earlier run ended on its way there" in words(done)
    assert release(host) == "v1.53.0"
    assert record(host)["state"] == "done"
    assert inside.all_active(host)
    assert eventually(lambda: site.post_event().status == 200)
    assert SECRET in host.check_output("docker exec mash-lago-api rails standin:secrets")


def test_no_way_back_unless_the_number_of_rows_is_confirmed(host, site, server, stored):
    with load(site) as found:
        eventually(lambda: len(found.accepted) > 20)
    stored["since"] = found.accepted
    stored["events"] = inside.sql(host, "SELECT count(*) FROM events")
    done = attempt(server, "rollback")
    assert done.returncode != 0
    stored["confirm"] = re.search(r"confirm_rows=(\d+)", words(done))[1]
    assert int(stored["confirm"]) > len(found.accepted)
    assert release(host) == "v1.53.0"
    assert inside.all_active(host)
    assert inside.sql(host, "SELECT count(*) FROM events") == stored["events"]


def test_the_way_back(host, site, server, stored):
    # Its clock goes on writing meanwhile.
    done = attempt(server, "rollback", confirm_rows=str(int(stored["confirm"]) + 10000))
    assert done.returncode == 0, done.stdout + done.stderr
    text = words(done)
    assert "Events sent again" in text
    assert " 0 refused" in text
    assert release(host) == "v1.51.0"
    assert inside.all_active(host)
    # The schema is that of the release, and no event is missing or there twice.
    assert inside.sql(host, "SELECT max(version) FROM schema_migrations") == "20260422085615"
    assert inside.event_rows(host, stored["since"]) == len(stored["since"])
    assert inside.sql(host, "SELECT count(*) FROM events") == stored["events"]
    assert record(host)["state"] == "rolled back"
    assert SECRET in host.check_output("docker exec mash-lago-api rails standin:secrets")
    assert eventually(lambda: site.post_event().status == 200)


def test_no_second_way_back(server):
    done = attempt(server, "rollback")
    assert done.returncode != 0
    assert "No upgrade is recorded" in words(done)
