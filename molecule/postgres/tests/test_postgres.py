# SPDX-FileCopyrightText: 2026 The selfhosting.lago authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Upkeep of Postgres on a server that has Postgres 15, and then 17. The tests build on each other."""

import json
import threading

import pytest
from verify import inside, plays
from verify.load import load
from verify.waiting import eventually

ROWS = 100000
DUMP = "/root/dumps/latest-dump.sql.zst"
CONTROL_FILE = "/usr/share/postgresql/*/extension/pg_partman.control"
NEWER_PARTMAN = f"""RUN sed -i "s/^default_version.*/default_version = '6.0.0'/" {CONTROL_FILE}"""
PARTITIONED = """
SET ROLE lago;
SELECT partman.create_parent('public.enriched_events', 'timestamp', '1 day', p_premake := 2, p_default_table := false)
"""
TABLES = """
SELECT format('%I.%I', n.nspname, c.relname) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
 WHERE c.relkind = 'r' AND n.nspname IN ('public', 'partman') AND c.relname NOT IN ('clock_ticks', 'jobs_log')
 ORDER BY 1
"""
INDEXES = "SELECT tablename, indexdef FROM pg_indexes WHERE schemaname IN ('public', 'partman') ORDER BY 1, 2"
EXTENSIONS = "SELECT extname, extversion, pg_get_userbyid(extowner) FROM pg_extension ORDER BY 1"
OWNERS = (
    "SELECT relname, pg_get_userbyid(relowner) FROM pg_class WHERE relnamespace = 'public'::regnamespace ORDER BY 1"
)


def described(host) -> dict:
    """All that has to come through; what clock and workers write goes on changing."""
    tables = inside.sql(host, TABLES).split()
    counts = " UNION ALL ".join(f"SELECT '{table}', count(*) FROM {table}" for table in tables)
    found = {name: inside.sql(host, query).splitlines() for name, query in globals().items() if name in COMPARED}
    return {**found, "rows": sorted(inside.sql(host, counts).splitlines())}


COMPARED = ("INDEXES", "EXTENSIONS", "OWNERS")


def version(host) -> str:
    return host.file("/mash/postgres/data/PG_VERSION").content_string.strip()


def said(host, unit: str) -> str:
    return host.check_output(f"journalctl --sync; journalctl --identifier={unit} --lines=30 --output=cat --quiet")


def refused(server, *arguments: str, **variables: object) -> str:
    done = plays.attempt(server.name, *arguments, **variables)
    assert done.returncode != 0, done.stdout
    return " ".join((done.stdout + done.stderr).split())


def test_data(host):
    assert version(host) == "15"
    inside.make_events(host, ROWS)


def test_partitions(host):
    unit = "mash-postgres-partitions"
    assert host.check_output("systemctl is-active %s.timer", unit) == "active"
    # By itself it would run in the middle of this.
    host.check_output("systemctl stop %s.timer %s.service", unit, unit)
    host.check_output("systemctl start %s", unit)
    assert "not in its care" in said(host, unit)
    host.check_output("docker exec mash-postgres psql -U root -d lago -v ON_ERROR_STOP=1 -c %s", PARTITIONED)
    # Of a table without rows pg_partman makes no further partitions.
    inside.sql(host, "INSERT INTO enriched_events (event_id, timestamp) VALUES (gen_random_uuid(), now())")
    inside.sql(host, "UPDATE partman.part_config SET premake = 4")
    host.check_output("systemctl start %s", unit)
    assert "lago: 1 partitioned tables in pg_partman's care, " in said(host, unit)
    assert "(+2)" in said(host, unit)
    inside.sql(host, "UPDATE partman.part_config SET control = 'nothing'")
    assert host.run("systemctl start %s", unit).rc != 0
    assert host.run("systemctl is-failed %s", unit).stdout.strip() == "failed"
    assert "Partitions were not maintained" in said(host, unit)
    inside.sql(host, "UPDATE partman.part_config SET control = 'timestamp'")
    host.check_output("systemctl start %s %s.timer", unit, unit)


def test_the_programs_in_bin(host):
    assert host.check_output("echo 'SELECT 40 + 2' | /mash/postgres/bin/cli-non-interactive -At") == "42"
    assert host.run("/mash/postgres/bin/cli-non-interactive -c 'SELECT nothing'").rc == 1
    answer = host.check_output(
        # A terminal without a height would get a pager.
        "script --quiet --return --command 'stty rows 40; /mash/postgres/bin/cli -Atc \"SELECT 40 + 2\"' /dev/null"
    )
    # The end of script's own input is shown as ^@.
    assert answer.replace("^@", "").strip() == "42"
    assert host.run("/mash/postgres/bin/dump-all /none").rc == 1
    host.check_output("mkdir -p /root/dumps")
    assert DUMP in host.check_output("/mash/postgres/bin/dump-all /root/dumps")
    assert host.file(DUMP).mode == 0o600
    assert host.check_output("ls /root/dumps") == "latest-dump.sql.zst"


def test_a_vacuum_disturbs_nobody(host, server):
    before = inside.invocations(host)
    done = plays.attempt(server.name, "--tags=run-postgres-vacuum", postgres_vacuum_preset="vacuum-analyze")
    assert done.returncode == 0, done.stdout + done.stderr
    assert inside.sql(host, "SELECT last_vacuum IS NOT NULL FROM pg_stat_user_tables WHERE relname = 'events'") == "t"
    assert inside.invocations(host) == before


def test_an_import_is_refused(host, server):
    assert "server_path_postgres_dump" in refused(server, "--tags=import-postgres")
    before = inside.invocations(host)
    host.check_output("head --bytes=30000 %s > /root/dumps/short.sql.zst", DUMP)
    # What the playbook writes before it starts the unit.
    request = json.dumps({"path": "/root/dumps/short.sql.zst", "database": "lago", "force": False})
    host.check_output("printf %%s %s > /mash/postgres/upkeep/import.json", request)
    assert host.run("systemctl start mash-postgres-import").rc != 0
    assert "cannot be read to its end" in said(host, "mash-postgres-import")
    text = refused(server, "--tags=import-postgres", server_path_postgres_dump=DUMP)
    assert "There is data in lago already" in text
    assert inside.invocations(host) == before


def test_an_import(host, server):
    before = described(host)
    done = plays.attempt(
        server.name, "--tags=import-postgres", server_path_postgres_dump=DUMP, postgres_force_import=True
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert described(host) == before
    kept = [name for name in inside.sql(host, "SELECT datname FROM pg_database").split() if "_before_" in name]
    assert kept
    assert inside.sql(host, "SELECT count(*) FROM events", database=kept[0]) == str(ROWS)
    inside.sql(host, f"DROP DATABASE {kept[0]}", database="main")
    eventually(lambda: inside.all_active(host), seconds=120)


def test_another_pg_partman_ends_an_upgrade(host, server):
    before = inside.invocations(host)
    text = refused(server, "--tags=upgrade-postgres", testbed_further_lines=NEWER_PARTMAN)
    assert "has pg_partman 5." in text
    assert "Nothing was changed" in text
    assert inside.invocations(host) == before


def test_an_upgrade_that_is_killed(host, server):
    before = described(host)
    killed = threading.Event()

    def kill():
        eventually(lambda: "mash-postgres-old" in host.check_output("docker ps --format '{{.Names}}'"), seconds=200)
        host.check_output("systemctl kill --signal=KILL mash-postgres-upgrade")
        killed.set()

    thread = threading.Thread(target=kill)
    thread.start()
    refused(server, "--tags=upgrade-postgres")
    thread.join()
    assert killed.is_set()
    eventually(lambda: inside.all_active(host), seconds=120)
    assert version(host) == "15"
    assert described(host) == before
    assert host.check_output("ls /mash/postgres | grep -c auto-upgrade || true") == "0"
    there = host.check_output("docker ps --all --format '{{.Names}}'").split()
    assert not {"mash-postgres-old", "mash-postgres-new"} & set(there)


def test_the_upgrade(host, server, site):
    before = described(host)
    # Few of them: most come while Lago is stopped, and take the server's time from the upgrade.
    with load(site, senders=1, pause=0.3) as sent:
        eventually(lambda: len(sent.accepted) > 5)
        done = plays.attempt(server.name, "--tags=upgrade-postgres")
        assert done.returncode == 0, done.stdout + done.stderr
        count = len(sent.accepted)
        eventually(lambda: len(sent.accepted) > count + 5, seconds=120)
    print([line for line in done.stdout.splitlines() if "stopped for" in line])
    assert set(sent.failed) <= {503}
    assert inside.event_rows(host, sent.accepted) == len(sent.accepted)
    assert version(host) == "17"
    inside.sql(host, "DELETE FROM events WHERE transaction_id NOT LIKE 'many-%'")
    assert described(host) == before
    assert host.file("/mash/postgres/data-auto-upgrade-backup/PG_VERSION").content_string.strip() == "15"
    assert host.check_output("ls -d /mash/postgres/*dump* 2>/dev/null || true") == ""
    assert inside.all_active(host)


def test_runs_after_an_upgrade(host, server, play):
    before = inside.invocations(host)
    run = play()
    # Steps that worked on a database work once on each other one; nothing is restarted for it.
    steps = {"mash-lago-database-password.service": "run", "mash-lago-migrate.service": "run"}
    assert run.units.items() <= steps.items(), run.units
    assert not any(found for kind, found in run.changes.items() if kind != "units"), json.dumps(run.changes)
    run = play("--tags=setup-all,upgrade-postgres")
    assert not any(run.changes.values()), json.dumps(run.changes)
    assert version(host) == "17"
    assert inside.invocations(host) == before


@pytest.fixture(autouse=True)
def journal_of_the_upkeep(host, request):
    yield
    if getattr(request.node, "rep_call", None) and request.node.rep_call.failed:
        print(said(host, "mash-postgres-upgrade"))
