# SPDX-FileCopyrightText: 2026 The selfhosting.lago authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Reads a dump into the server: looked through first, compared afterwards, undone when it fails."""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
import time

import clients
import postgres
from dumpfile import DumpFile, Scan, adapted
from shell import Failure, Progress, feed, lasting, run, say

# What every server has, and nobody keeps data in.
SYSTEM = ("postgres", "template1")
# Those of extensions come with them.
TABLES = """
SELECT count(*) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
 WHERE c.relkind IN ('r', 'p', 'S', 'v', 'm') AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
   AND NOT EXISTS (SELECT FROM pg_depend d
                    WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e')
"""
LONGEST_NAME = 63


def load(configuration, arguments, state):
    started = time.monotonic()
    path, database, force = arguments["path"], arguments["database"], arguments["force"]
    if not path:
        raise Failure("server_path_postgres_dump is empty. Nothing was changed.")
    server = postgres.Server(configuration["container"], configuration["user"])
    dump = DumpFile(path, server.container)
    scan = looked_through(dump, server, database)
    existing = server.databases()
    if not scan.cluster and database not in existing:
        listed = ", ".join(existing)
        raise Failure(f"postgres_default_import_database: there is no database {database}. There are: {listed}")
    targets = [name for name in scan.databases if name not in SYSTEM or not scan.cluster]
    full = [name for name in targets if name in existing and int(server.ask(TABLES, name)[0])]
    if full and not force:
        raise Failure(
            f"There is data in {', '.join(full)} already. Nothing was changed. To keep it under another name and "
            "import beside it: -e postgres_force_import=true"
        )
    clients.stop_users(configuration, state)
    suffix = time.strftime("_before_%Y%m%d%H%M%S")
    undo = {
        "made": targets,
        "kept": {name: name[: LONGEST_NAME - len(suffix)] + suffix for name in full},
        "empty": {
            name: json.loads(server.ask(postgres.PROPERTIES, name)[0])
            for name in targets
            if name in existing and name not in full
        },
    }
    properties = {name: json.loads(server.ask(postgres.PROPERTIES, name)[0]) for name in full} | undo["empty"]
    state.note(databases=undo)
    for name, other in undo["kept"].items():
        server.ask(f"ALTER DATABASE {postgres.identifier(name)} RENAME TO {postgres.identifier(other)}")
        # No backup holds what is kept of before.
        comment = postgres.literal(f"{postgres.MARK}what was here before an import")
        server.ask(f"COMMENT ON DATABASE {postgres.identifier(other)} IS {comment}")
    for name in targets:
        if name in undo["empty"]:
            server.ask(f"DROP DATABASE {postgres.identifier(name)} WITH (FORCE)")
        if name in properties and name not in scan.creates:
            server.create(name, properties[name])
    say(f"Importing {path} into {', '.join(targets)}")
    if dump.kind == "custom":
        restore(server, database, properties[database], dump)
    else:
        send(server, dump, scan, database)
        compare(server, scan)
    for unit in configuration["after_import"]:
        done = run(["systemctl", "start", "--", unit], check=False, what=f"Waiting for {unit}")
        if done.returncode:
            raise Failure(f"{unit} failed on what was imported. See: journalctl --unit={unit}")
    state.note(databases={})
    clients.recover(configuration, state)
    run(server.program("vacuumdb", "--all", "--analyze-only", "--quiet"), what="Collecting statistics")
    for name, other in undo["kept"].items():
        say(f"What was in {name} is kept as database {other}; when you need it no more: DROP DATABASE {other}")
    say(f"Imported in {lasting(time.monotonic() - started)}")


def looked_through(dump, server, database):
    """All of it is read once before anything is changed."""
    say(f"Looking through {dump.path}")
    if dump.kind == "custom":
        with open(dump.path, "rb") as file:
            command = ["docker", "exec", "--interactive", server.container, "pg_restore", "--file=/dev/null"]
            done = subprocess.run(command, stdin=file, capture_output=True, check=False)
        if done.returncode:
            said = done.stderr.decode(errors="replace").strip()[-500:]
            raise Failure(f"{dump.path} cannot be read to its end: {said}. Nothing was changed.")
        return Scan([], database)
    try:
        with dump.lines("Looking through the dump") as lines:
            scan = Scan(lines, database)
    except Failure as error:
        raise Failure(f"{error}. Nothing was changed.") from None
    if not scan.complete:
        raise Failure(
            f"{dump.path} breaks off: its last line, which says that it is complete, is missing. Nothing was changed."
        )
    return scan


def restore(server, database, properties, dump):
    options = ["--exit-on-error", f"--dbname={database}"]
    if properties["owner"] != server.user:
        options.append(f"--role={properties['owner']}")
    feed(server.program("pg_restore", *options), dump.path, Progress(f"Importing into {database}", dump.size))


def send(server, dump, scan, database):
    """Through psql, which ends with the first error. One database is imported whole or not at all."""
    roles = server.ask("SELECT rolname FROM pg_roles")
    command = ["docker", "exec", "--interactive", server.container, *postgres.psql(server.user, database)]
    command += ["--output=/dev/null"]
    if scan.cluster:
        # The database of the beginning may be one that the dump makes.
        command[-2] = f"--dbname={postgres.MAINTENANCE}"
    else:
        command.append("--single-transaction")
    with tempfile.TemporaryFile() as said:
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=said, stderr=subprocess.STDOUT)
        try:
            with dump.lines(f"Importing {os.path.basename(dump.path)}") as lines:
                for line in adapted(lines, server.user, roles, server.databases()):
                    process.stdin.write(line)
            process.stdin.close()
        except BrokenPipeError:
            # It has ended; what it said follows.
            pass
        except BaseException:
            process.kill()
            raise
        if process.wait():
            said.seek(0)
            raise Failure(
                f"The import failed, all is as it was before: {said.read().decode(errors='replace').strip()[-2000:]}"
            )


def compare(server, scan):
    """The rows in the file with those in the tables."""
    problems = []
    for database in {database for database, _table in scan.rows}:
        tables = {table: rows for (one, table), rows in scan.rows.items() if one == database}
        query = "\nUNION ALL ".join(
            f"SELECT json_build_array({postgres.literal(table)}, (SELECT count(*) FROM ONLY {table}))"
            for table in tables
        )
        for table, found in map(json.loads, server.ask(query, database)):
            if found != tables[table]:
                problems.append(f"  {database}, {table}: {tables[table]} rows in the file, {found} in the table")
    if problems:
        raise Failure("The import is not whole, all is as it was before:\n" + "\n".join(sorted(problems)))
    say(f"Rows of {len(scan.rows)} tables compared: {sum(scan.rows.values())}")


def undo(configuration, done):
    """What an import had begun: databases of before get their names back."""
    server = postgres.Server(configuration["container"], configuration["user"])
    there = server.ask("SELECT datname FROM pg_database")
    for name in done["made"]:
        # One that was not renamed yet is the old one.
        if name in there and not (name in done["kept"] and done["kept"][name] not in there):
            server.ask(f"DROP DATABASE {postgres.identifier(name)} WITH (FORCE)")
    for name, other in done["kept"].items():
        if other in there:
            server.ask(f"COMMENT ON DATABASE {postgres.identifier(other)} IS NULL")
            server.ask(f"ALTER DATABASE {postgres.identifier(other)} RENAME TO {postgres.identifier(name)}")
    for name, properties in done["empty"].items():
        server.create(name, properties)
