# SPDX-FileCopyrightText: 2026 The selfhosting.lago authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""VACUUM table by table, so that one sees how far it is."""

from __future__ import annotations

import time

import clients
import postgres
from shell import Progress, lasting, say, sized

# The names are MASH's.
PRESETS = {
    "vacuum-complete": "VACUUM (FULL, ANALYZE)",
    "vacuum-full": "VACUUM (FULL)",
    "vacuum": "VACUUM",
    "vacuum-analyze": "VACUUM (ANALYZE)",
    "analyze": "ANALYZE",
}
TABLES = """
SELECT pg_total_relation_size(c.oid) || ' ' || format('%I.%I', n.nspname, c.relname)
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
 WHERE c.relkind IN ('r', 'm') AND n.nspname !~ '^pg_(toast|temp)' AND n.nspname <> 'information_schema'
   AND NOT c.relisshared
 ORDER BY 1
"""


def vacuum(configuration, arguments, state):
    preset, started = arguments["preset"], time.monotonic()
    command = PRESETS[preset]
    server = postgres.Server(configuration["container"], configuration["user"])
    before = server.size()
    if "FULL" in command:
        # It locks each table whole, and would wait for its users and they for it.
        clients.stop_users(configuration, state)
    for database in server.databases():
        tables = [line.split(" ", 1) for line in server.ask(TABLES, database)]
        progress = Progress(f"{command}, database {database}", sum(int(size) for size, _name in tables))
        # One connection for all: there are many small ones.
        session = postgres.Session(server.container, server.user, database)
        try:
            for size, name in tables:
                session.ask(f"{command} {name}")
                progress.add(int(size))
        finally:
            session.close()
    clients.recover(configuration, state)
    after = server.size()
    say(f"{preset}: {sized(before)} before, {sized(after)} now, in {lasting(time.monotonic() - started)}")
