# SPDX-FileCopyrightText: 2026 The selfhosting.lago authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Time and size of backup, verification and restore, with as many events as somebody wants."""

from __future__ import annotations

import json
import os
import subprocess
import time

from rich.table import Table

from .server import NAME, REPOSITORY, BenchError, Server

DATA = "/mash/backup/data"
# 100 subscriptions, and properties of the length that a metered call has.
EVENTS = """
INSERT INTO events (organization_id, transaction_id, code, external_subscription_id, properties, timestamp,
                    created_at, updated_at)
SELECT (SELECT id FROM organizations LIMIT 1), 'bench-' || md5(n::text), 'calls', 'subscription-' || n % 100,
       jsonb_build_object('value', n, 'region', 'eu-west-' || n % 3), now(), now(), now()
  FROM generate_series(1, {events}) AS n
"""
# Only when it is asked for.
VALUES = {"backup_enabled": True, "backup_schedule": "", "backup_verify_schedule": ""}
VERBS = {
    "backup": "just backup",
    "backup again": "the next night, nothing new",
    "checksums": "just verify-backup --checksums",
    "verify": "just verify-backup",
    "restore": "just restore",
}
UNITS = {
    "backup": "mash-backup",
    "backup again": "mash-backup",
    "checksums": "mash-backup-checksums",
    "verify": "mash-backup-verify",
    "restore": "mash-backup-restore",
}


def on(server: Server, command: str) -> str:
    done = subprocess.run(
        [REPOSITORY / "bin" / "testbed", f"--run={server.run}", "exec", NAME, "sh", "-c", command],
        stdout=subprocess.PIPE,
        text=True,
    )
    if done.returncode:
        raise BenchError(f"{command} failed on the server, see above")
    return done.stdout.strip()


def sql(server: Server, query: str) -> str:
    return on(server, f"docker exec -i mash-postgres psql --username=root --dbname=lago -tA <<'END'\n{query};\nEND")


def run(server: Server, verb: str) -> float:
    begin = time.monotonic()
    unit = UNITS[verb]
    on(server, f"systemctl start {unit} || {{ journalctl --identifier={unit} --lines=20 >&2; exit 1; }}")
    return time.monotonic() - begin


def size(server: Server) -> int:
    return int(on(server, f"du --summarize --bytes {DATA}/repository").split()[0])


def measure(server: Server, events: int, say) -> dict:
    say("install")
    done = subprocess.run(
        ["bin/just", f"inventory={server.hosts}", "install-all"], cwd=REPOSITORY, stdout=subprocess.PIPE, text=True
    )
    if done.returncode:
        raise BenchError(f"install-all failed:\n{done.stdout[-4000:]}")
    run(server, "backup")
    before = {"repository": size(server), "database": int(sql(server, "SELECT pg_database_size('lago')"))}
    say(f"making {events} events")
    sql(server, EVENTS.format(events=events))
    on(server, f"printf %s '{json.dumps({'backup': 'latest'})}' > {DATA}/request.json")
    seconds, load = {}, os.getloadavg()[0]
    sizes = {}
    for verb in VERBS:
        seconds[verb] = round(run(server, verb), 1)
        sizes.setdefault("repository", size(server) - before["repository"])
        say(f"{verb}: {seconds[verb]} s")
    sizes["database"] = int(sql(server, "SELECT pg_database_size('lago')")) - before["database"]
    # What reading alone takes, from the same cache.
    begin = time.monotonic()
    on(server, f"find {DATA}/repository -type f -exec cat {{}} + > /dev/null")
    return {
        "events": events,
        "seconds": seconds,
        "bytes": sizes,
        "cat_seconds": round(time.monotonic() - begin, 1),
        "repository_bytes": size(server),
        "load_before": round(load, 2),
    }


def tables(figures: dict) -> list[Table]:
    millions = figures["events"] / 1e6
    times = Table(title=f"{figures['events']} events, images: {figures['images']}")
    for column in ("Command", "Time", "For a million events"):
        times.add_column(column, justify="left" if column == "Command" else "right")
    for verb, seconds in figures["seconds"].items():
        times.add_row(VERBS[verb], f"{seconds} s", f"{seconds / millions:.1f} s")
    times.add_row("reading the repository with cat", f"{figures['cat_seconds']} s", "")
    sizes = Table(show_header=False)
    for name, count in figures["bytes"].items():
        sizes.add_row(
            f"Size in the {name}", f"{count / 1e6:.1f} MB", f"{count / 1e6 / millions:.0f} MB a million events"
        )
    sizes.add_row("Size of the whole repository", f"{figures['repository_bytes'] / 1e6:.1f} MB", "")
    sizes.add_row("Load average before", str(figures["load_before"]), "")
    return [times, sizes]
