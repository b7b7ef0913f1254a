# SPDX-FileCopyrightText: 2026 The selfhosting.lago authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""What Lago has stored since a backup: counted, and its events kept in a file, to be sent again.

And how Lago was set up when that backup was made: its environment, labels and units, laid beside.

Reads rollback.json in the data directory: `backup` is the name of the backup.
"""

from __future__ import annotations

import json
import os

import manifest
from backup import UNIT_DIRECTORY, clear, server_of
from report import write
from repository import NoBackup
from shell import Failure, Progress, say, stream

DIRECTORY = "rollback"
EVENTS, RESULT = "events.jsonl", "since.json"
# Below DIRECTORY and in a backup: files of the server under their whole paths.
SERVER = "server"
# A transaction that was open when the dump was made has rows that are older than it, and are not in it. What is in it
# is told so by the API when it is sent again.
MARGIN_SECONDS = 600
TABLES = """
SELECT table_name FROM information_schema.columns JOIN information_schema.tables USING (table_schema, table_name)
 WHERE table_schema = 'public' AND column_name = 'created_at' AND table_type = 'BASE TABLE' ORDER BY 1
"""
# What others know of by now: Lago's tables, and what a row in them means.
TOLD = {
    "payments": "payments made or begun with payment providers",
    "refunds": "refunds made with payment providers",
    "payment_requests": "requests for payment sent to customers",
    "webhooks": "webhooks sent to you, with identifiers that will not exist any more",
    "inbound_webhooks": "webhooks received from payment providers, who do not send them again",
    "invoices": "invoices, whose numbers are given again",
    "credit_notes": "credit notes, whose numbers are given again",
    "integration_resources": "objects made in accounting and tax systems",
}


def since(configuration, repository, request):
    snapshot = found(repository, request["backup"])
    content = repository.manifest_of(snapshot)
    created = content["created"]
    server, database = server_of(configuration), configuration["lago"]["database"]
    directory = os.path.join(configuration["data_path"], DIRECTORY)
    os.makedirs(directory, mode=0o700, exist_ok=True)
    counts = {}
    for table in server.ask(TABLES, database):
        counts[table] = int(server.ask(f'SELECT count(*) FROM public."{table}" WHERE {newer(created)}', database)[0])
    export(server, database, created - MARGIN_SECONDS, os.path.join(directory, EVENTS))
    clear(os.path.join(directory, SERVER))
    repository.fetch_part(snapshot, SERVER, directory)
    check_database(configuration["lago"]["environment"], os.path.join(directory, SERVER))
    result = {
        "backup": snapshot["id"],
        "rows": sum(counts.values()),
        "events": counts.get("events", 0),
        "tables": counts,
        "files": files_of_lago(content["files"], configuration["lago"]),
    }
    write(os.path.join(directory, RESULT), json.dumps(result, indent=1), 0o600)
    for line in described(counts):
        say(line)


def found(repository, name):
    """Looked for while Lago still serves."""
    try:
        return repository.find(name)
    except NoBackup as failure:
        raise Failure(
            f"{failure}. The way back needs that one, and nothing was put back. just backups lists others, for "
            "just restore; one of an older Lago needs lago_version set to that release first."
        ) from failure


def check_database(path, before):
    """Postgres keeps the passwords of its roles, and the environment of before comes back: the two have to agree."""
    now, then = (manifest.environment_of(place).get("DATABASE_URL") for place in (path, before + path))
    if now != then:
        raise Failure(
            "Lago's database role has had another password, or its database another place, since that backup was made. "
            "Lago of before could not connect. Set it as it was then (lago_database_password, lago_database_hostname "
            "and so on) and type just install-service lago; then type just rollback again."
        )


def files_of_lago(stored, lago):
    """Paths on the server of what made its containers: not its data, and nothing of other services."""
    paths = [name[len(SERVER) :] for name in stored if name.startswith(f"{SERVER}/")]
    ours = (f"{os.path.dirname(os.path.dirname(lago['environment']))}/", f"{UNIT_DIRECTORY}/{lago['identifier']}-")
    return sorted(path for path in paths if path.startswith(ours))


def newer(when):
    """Rails stores UTC without saying so."""
    return f"created_at > to_timestamp({when:.6f}) AT TIME ZONE 'UTC'"


def export(server, database, when, path):
    """One event a line, as it is stored."""
    query = f"SELECT to_jsonb(one) FROM public.events one WHERE {newer(when)} ORDER BY created_at"
    options = [
        "--no-psqlrc",
        "--quiet",
        "--tuples-only",
        "--no-align",
        "--set=ON_ERROR_STOP=1",
        "--set=FETCH_COUNT=1000",
    ]
    command = server.program("psql", *options, f"--dbname={database}", f"--command={query}")
    stream(command, path, Progress("Keeping events"))


def described(counts):
    """For people: what is lost, what comes back, and what nobody can take back."""
    total, events = sum(counts.values()), counts.get("events", 0)
    lines = [f"Since that backup {total} rows were written, {events} of them events, which are kept and sent again"]
    told = {name: count for name, count in counts.items() if count and name in TOLD}
    others = {name: count for name, count in counts.items() if count and name not in TOLD and name != "events"}
    if told:
        lines.append("What others know of and no way back undoes:")
        lines += [f"  {count} in {name}: {TOLD[name]}" for name, count in told.items()]
    if others:
        lines.append("Also not there any more: " + ", ".join(f"{count} in {name}" for name, count in others.items()))
    return lines
