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
# What checksums cost is measured with three gigabytes more, of what does not compress: restic's own second counts for
# little then.
FILES, FILE_BYTES = 48, "64MB"
MAKE_FILES = f"""
mkdir --parents /mash/lago/data/bench
for number in $(seq {FILES}); do head --bytes={FILE_BYTES} /dev/urandom > /mash/lago/data/bench/$number; done
"""
READ_ALL = f"find {DATA}/repository -type f -exec cat {{}} + > /dev/null"
# The processor's seconds are the same when others use it, too.
CHECKSUMS = """
bash -c 'TIMEFORMAT="%R %U %S"; time python3 -I -B /mash/backup/program verify --checksums > /dev/null' 2>&1
"""
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
    seconds, loads, sizes = {}, {}, {}
    for verb in UNITS:
        loads[verb] = round(os.getloadavg()[0], 1)
        seconds[verb] = round(run(server, verb), 1)
        sizes.setdefault("repository", size(server) - before["repository"])
        say(f"{verb}: {seconds[verb]} s")
    sizes["database"] = int(sql(server, "SELECT pg_database_size('lago')")) - before["database"]
    return {"events": events, "seconds": seconds, "loads": loads, "bytes": sizes, "checksums": checksums(server, say)}


def checksums(server: Server, say) -> dict:
    """Of a repository that is three gigabytes larger and in the cache."""
    say("making files")
    on(server, MAKE_FILES)
    run(server, "backup")
    on(server, READ_ALL)
    begin, load = time.monotonic(), os.getloadavg()[0]
    on(server, READ_ALL)
    reading = time.monotonic() - begin
    seconds, user, system = map(float, on(server, CHECKSUMS).split())
    return {
        "bytes": size(server),
        "seconds": round(seconds, 1),
        "cpu_seconds": round(user + system, 1),
        "cat_seconds": round(reading, 1),
        "load": round(load, 1),
    }


def tables(figures: dict) -> list[Table]:
    millions = figures["events"] / 1e6
    times = Table(title=f"{figures['events']} events, images: {figures['images']}")
    for column in ("Unit", "Time", "For a million events", "Load before"):
        times.add_column(column, justify="left" if column == "Unit" else "right")
    for verb, seconds in figures["seconds"].items():
        times.add_row(
            f"{UNITS[verb]}{', the next night' if verb == 'backup again' else ''}",
            f"{seconds} s",
            f"{seconds / millions:.1f} s",
            str(figures["loads"][verb]),
        )
    others = Table(show_header=False)
    for name, count in figures["bytes"].items():
        others.add_row(
            f"Size in the {name}", f"{count / 1e6:.1f} MB", f"{count / 1e6 / millions:.0f} MB a million events"
        )
    found = figures["checksums"]
    gigabytes = found["bytes"] / 1e9
    about = f"{found['seconds']} s, {found['cpu_seconds']} s of the processor, load {found['load']}"
    others.add_row(f"Checksums of {gigabytes:.2f} GB", about, f"{found['seconds'] / gigabytes:.2f} s a gigabyte")
    others.add_row("The same files to cat", f"{found['cat_seconds']} s", "")
    return [times, others]
