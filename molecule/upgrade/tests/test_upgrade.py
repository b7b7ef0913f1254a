# SPDX-FileCopyrightText: 2026 The selfhosting.lago authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""A server on its way from one release to another and back, while events are sent all the time.

The tests build on each other: each begins where the one before it ended.
"""

import contextlib
import json
import re

import pytest
from verify import backups, inside, plays
from verify.load import load
from verify.waiting import eventually

RECORD = "/mash/selfhosting-lago/records/mash-lago-upgrade.json"
ROWS = 100_000
# Each event that is sent becomes a job, and is sent again in the end: enough of them, and no more work than that.
PAUSE = 0.5
# The stand-in is ahead of what the collection has read.
NEWEST = {"lago_version_highest": "v1.53.0"}
# Tables that change while nobody looks, or that a release changes on purpose.
CHANGING = {*backups.MOVING, "public.events", "public.organizations", "public.schema_migrations"}
# A job that waits in Valkey, and the lock of one that runs once at a time.
LOCK = "activejob_uniqueness:of-the-newer"
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


def lease(host) -> dict:
    """Of the run that had the server last, and whether it still has."""
    found = json.loads(host.file("/var/lib/selfhosting-lago/lease.json").content_string)
    return {**found, "alive": not found["ended"]}


@contextlib.contextmanager
def sending(host, site):
    """Events all the time: what was accepted is there afterwards, and who was not was told to try again.

    A connection that breaks, or waits too long on a machine with much to do, is tried again as well.
    """
    with load(site, pause=PAUSE) as found:
        yield found
    assert found.accepted
    assert inside.event_rows(host, found.accepted) == len(found.accepted)
    assert {answer for answer in found.failed if isinstance(answer, int)} <= {503}, found.failed


def many(host) -> str:
    """A checksum of all events that were there before anything began."""
    rows = "SELECT md5(string_agg(md5(e::text), '' ORDER BY id)) FROM events e WHERE transaction_id LIKE 'many-%'"
    return inside.sql(host, rows)


def assert_nothing_is_missing(host, before) -> None:
    """Rows of each table that no release changes, all indexes, the events of before, files and credentials."""
    rows = backups.content(host)
    different = {name for name, found in before["rows"].items() if rows.get(name) != found}
    assert different <= CHANGING
    assert many(host) == before["many"]
    assert backups.files(host) == before["files"]
    assert backups.SECRET in host.check_output("docker exec mash-lago-api rails standin:secrets")
    assert backups.valkey(host).ask("lrange", backups.QUEUE, "0", "-1") == backups.JOB


@pytest.fixture(scope="module")
def stored():
    """What one test leaves for another."""
    return {}


@pytest.fixture(scope="module", autouse=True)
def before(host):
    """What is there before anything begins."""
    inside.make_events(host, ROWS)
    host.check_output("docker exec mash-lago-api rails 'standin:store_secret[stripe,%s]'", backups.SECRET)
    host.check_output("install -D -o mash -g mash /etc/hostname /mash/lago/data/aa/bb/invoice.pdf")
    backups.valkey(host).ask("rpush", backups.QUEUE, backups.JOB)
    return {
        "rows": backups.content(host),
        "many": many(host),
        "files": backups.files(host),
        "environment": host.check_output("sha256sum /mash/lago/api/env"),
    }


def test_the_plan_changes_nothing(host, site, server):
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


def test_over_the_stop_to_a_release_whose_migration_fails(host, site, server, before):
    """The stop is made, its task is run; then the older release goes on serving."""
    with sending(host, site):
        done = attempt(server, "upgrade", upgrade_to="v1.53.0-broken")
    assert done.returncode != 0
    text = words(done)
    assert text.count("is good: restored on trial and compared") == 2, "a backup for each release on the way"
    assert " so far" not in text, "nobody is at a terminal"
    assert "rails upgrade:perform_required_jobs" in text
    assert "v1.52.1 goes on serving, on the database as it is now" in text
    assert release(host) == "v1.52.1"
    assert inside.all_active(host)
    assert inside.sql(host, "SELECT count(*) FROM organizations WHERE filter_code IS NULL") == "0"
    # Nothing was put back: what the migration did before it failed is there.
    assert inside.sql(host, "SELECT count(*) FROM organizations WHERE half_done") == "1"
    assert (record(host)["state"], record(host)["from"], record(host)["done"]) == ("running", "v1.51.0", ["v1.52.1"])
    assert_nothing_is_missing(host, before)
    assert not lease(host)["alive"], "others may change the server"


def test_an_invalid_index_is_named_with_what_removes_it(host, site, server):
    inside.sql(host, "INSERT INTO roles (name) VALUES ('twin')")
    inside.sql(host, "ALTER TABLE roles ADD COLUMN twin int")
    made = host.run(
        "docker exec mash-postgres psql --username=root --dbname=lago --command=%s",
        "CREATE UNIQUE INDEX CONCURRENTLY half_made ON roles (twin) NULLS NOT DISTINCT",
    )
    assert made.rc != 0
    with sending(host, site):
        done = attempt(server, "upgrade", upgrade_to="v1.53.0-broken")
    assert done.returncode != 0
    command = re.search(r"docker exec mash-postgres psql [^']*'DROP INDEX CONCURRENTLY public\.half_made'", words(done))
    assert command, done.stdout + done.stderr
    host.check_output(command[0])
    inside.sql(host, "DELETE FROM roles WHERE name = 'twin'; ALTER TABLE roles DROP COLUMN twin")
    assert inside.sql(host, "SELECT count(*) FROM pg_index WHERE NOT indisvalid") == "0"


def test_a_release_whose_containers_never_get_ready(host, site, server):
    with sending(host, site):
        done = attempt(server, "upgrade", upgrade_to="v1.53.0", upgrade_close_ingest=True, **UNREADY)
    assert done.returncode != 0
    text = words(done)
    assert "v1.53.0, whose containers do not get ready" in text
    assert f"just rollback -l {server.name}" in text
    answer = site.post_event()
    assert answer.status == 503
    assert int(answer.headers["retry-after"]) > 0


def test_it_goes_on_where_it_was(host, site, server, before):
    """What was wrong is corrected; then the task that the release needs has too little time."""
    with sending(host, site) as sent:
        done = attempt(server, "upgrade", upgrade_to="v1.53.0", upgrade_task_seconds=1)
        assert done.returncode != 0
        assert "more time than 1 s: -e upgrade_task_seconds=2" in words(done)
        assert (release(host), record(host)["hop"]) == ("v1.53.0", "v1.53.0")
        done = attempt(server, "upgrade", upgrade_to="v1.53.0")
        # The API was closed until then.
        eventually(lambda: sent.accepted)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "an earlier run ended on its way there" in words(done)
    assert release(host) == "v1.53.0"
    assert record(host)["state"] == "done"
    assert inside.all_active(host)
    assert eventually(lambda: site.post_event().status == 200)
    assert_nothing_is_missing(host, before)
    assert not lease(host)["alive"]


def test_no_way_back_unless_the_number_of_rows_is_confirmed(host, site, server, stored):
    with load(site) as found:
        eventually(lambda: len(found.accepted) > 20)
    stored["since"] = found.accepted
    events = inside.sql(host, "SELECT count(*) FROM events")
    inside.sql(
        host,
        "INSERT INTO inbound_webhooks (source, organization_id, status, created_at, updated_at) "
        "VALUES ('stripe', '1', 'pending', now() AT TIME ZONE 'UTC', now() AT TIME ZONE 'UTC')",
    )
    # Of the newer release.
    backups.valkey(host).ask("rpush", backups.QUEUE, "a newer job")
    backups.valkey(host).ask("set", LOCK, "1")
    done = attempt(server, "rollback")
    assert done.returncode != 0
    text = words(done)
    assert "1 in inbound_webhooks: webhooks received from payment providers" in text
    stored["confirm"] = re.search(r"confirm_rows=(\d+)", text)[1]
    assert int(stored["confirm"]) > len(found.accepted)
    assert release(host) == "v1.53.0"
    assert inside.all_active(host)
    assert inside.sql(host, "SELECT count(*) FROM events") == events
    assert not lease(host)["alive"]


def test_the_way_back(host, site, server, before, stored):
    """Events come in until it begins, and vars.yml says what no release can live with."""
    with sending(host, site):
        # Their rows come on top of the number that was shown.
        done = attempt(server, "rollback", confirm_rows=str(int(stored["confirm"]) + 10000), **UNREADY)
    assert done.returncode == 0, done.stdout + done.stderr
    text = words(done)
    assert "What others know of and no way back undoes" in text
    assert re.search(r"Events sent again: [1-9]\d* taken, \d+ were in the backup already, 0 refused", text)
    assert release(host) == "v1.51.0"
    assert inside.all_active(host)
    # The schema is that of the release, and no event is missing or there twice.
    assert inside.sql(host, "SELECT max(version) FROM schema_migrations") == "20260422085615"
    rows = backups.content(host)
    assert {name for name in before["rows"] | rows if rows.get(name) != before["rows"].get(name)} <= {
        *backups.MOVING,
        "public.events",
    }
    assert inside.event_rows(host, stored["since"]) == len(stored["since"])
    assert_nothing_is_missing(host, before)
    assert host.check_output("sha256sum /mash/lago/api/env") == before["environment"]
    assert backups.valkey(host).ask("exists", LOCK) == "0"
    assert record(host)["state"] == "rolled back"
    assert not lease(host)["alive"]


def test_no_second_way_back(server):
    done = attempt(server, "rollback")
    assert done.returncode != 0
    assert "No upgrade is recorded" in words(done)
