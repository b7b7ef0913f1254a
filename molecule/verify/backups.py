# SPDX-FileCopyrightText: 2026 The selfhosting.lago authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Backups of a server, and everything by which a restored database is compared with the one that was dumped."""

from __future__ import annotations

import json
from dataclasses import dataclass

from . import inside
from .outside import Site
from .queue import Valkey
from .waiting import eventually

DATA = "/mash/backup/data"
RESTORE_RECORD = "/mash/selfhosting-lago/records/mash-backup-restore.json"
PROGRAM = "python3 -I -B /mash/backup/program"
SECRET = "sk_secret_of_test"
JOB, QUEUE = "a job", "queue:of-test"
# Tables in which the stand-in notes what it does by itself.
MOVING = {"public.jobs_log", "public.clock_ticks"}
PROCESSES = "mash-lago-api-worker mash-lago-api-clock"
LEFT = f"{DATA}/work/set {DATA}/work/trial {DATA}/work/restore {RESTORE_RECORD}"


def backups(host) -> list[str]:
    """One line each: name, time, whether it is good."""
    lines = host.check_output(f"{PROGRAM} list").splitlines()
    return [line for line in lines if "no backup" not in line]


def newest(host) -> str:
    return backups(host)[-1].split()[0]


def start(host, unit: str):
    return host.run(f"systemctl start {unit}")


def made(host) -> str:
    """A new backup."""
    done = start(host, "mash-backup.service")
    assert done.rc == 0, said(host, "mash-backup")
    return newest(host)


def said(host, unit: str) -> str:
    return host.check_output(f"journalctl --sync; journalctl --identifier={unit} --lines=60 --output=cat --quiet")


def ended(host, unit: str) -> None:
    """Waits until a unit that was killed counts as failed."""
    eventually(lambda: inside.properties(host, unit, "ActiveState")["ActiveState"] == "failed")


def leftovers(host) -> str:
    """What nothing needs any more: names of files, containers, networks and databases."""
    found = host.check_output(
        f"ls -d {LEFT} 2>/dev/null; docker ps --all --quiet --filter name=trial --filter name=rehearsal; "
        "docker network ls --quiet --filter name=trial --filter name=rehearsal"
    )
    return found + inside.sql(host, "SELECT datname FROM pg_database WHERE datname LIKE '%_restoring'")


def content(host, database: str = "lago") -> dict[str, str]:
    """Every table with the checksum of all its rows, and every index with its definition."""
    tables = inside.sql(
        host,
        "SELECT format('%I.%I', schemaname, tablename) FROM pg_tables "
        "WHERE schemaname NOT IN ('pg_catalog', 'information_schema') ORDER BY 1",
        database,
    ).split()
    rows = " UNION ALL ".join(
        f"SELECT '{table}', count(*) || ' ' || coalesce(md5(string_agg(md5(t::text), '' ORDER BY t::text)), '') "
        f"FROM {table} t"
        for table in tables
    )
    indexes = "SELECT schemaname || '.' || indexname, indexdef FROM pg_indexes WHERE schemaname !~ '^(pg_|information)'"
    lines = inside.sql(host, f"{rows} UNION ALL {indexes}", database).splitlines()
    return dict(line.split("|", 1) for line in lines)


def rows(host) -> dict[str, str]:
    """Of `content`, what does not change by itself."""
    return {name: found for name, found in content(host).items() if name not in MOVING}


def files(host, directory: str = "/mash/lago/data") -> dict[str, str]:
    """Every file of Lago's with its checksum and owner."""
    listed = host.check_output(
        f"find {directory} -type f -exec sha256sum {{}} + -exec stat --format='%u:%g:%a %n' {{}} + | sort"
    )
    found: dict[str, str] = {}
    for line in listed.splitlines():
        about, path = line.split(maxsplit=1)
        found[path] = found.get(path, "") + about
    return found


def valkey(host) -> Valkey:
    configuration = json.loads(host.file("/mash/backup/backup.json").content_string)
    return Valkey(host, password=configuration["valkey"]["password"])


@dataclass
class Stored:
    """A backup, and all that was there when it was made."""

    name: str
    rows: dict[str, str]
    files: dict[str, str]

    def assert_back(self, host, site: Site) -> None:
        """Every row, index and file is there again, and so are the credentials and the jobs; Lago works."""
        assert leftovers(host) == ""
        eventually(lambda: inside.all_active(host), seconds=180)
        found, restored = rows(host), files(host)
        assert {name for name in self.rows | found if found.get(name) != self.rows.get(name)} == set()
        assert {path: restored.get(path) for path in self.files} == self.files
        assert SECRET in host.check_output("docker exec mash-lago-api rails standin:secrets")
        assert valkey(host).ask("lrange", QUEUE, "0", "-1") == JOB
        eventually(lambda: site.post_event().status == 200, seconds=180)


def stored(host) -> Stored:
    """A backup while nothing writes, so that it can be compared with what is there."""
    host.check_output(f"systemctl stop {PROCESSES}")
    valkey(host).ask("del", QUEUE)
    valkey(host).ask("rpush", QUEUE, JOB)
    found = Stored(made(host), rows(host), files(host))
    host.check_output(f"systemctl start {PROCESSES}")
    return found
