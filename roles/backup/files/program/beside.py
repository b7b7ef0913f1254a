# SPDX-FileCopyrightText: 2026 The selfhosting.lago authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Databases restored beside those in use, which then take their place in one transaction."""

from __future__ import annotations

import os
import time

import postgres
from postgres import MARK, identifier, literal
from shell import Failure, say

# Postgres cuts longer names off.
LONGEST_NAME = 63
# Clients that come back at once, such as a monitor, are sent away again so many times.
ATTEMPTS = 30


def named(database, suffix):
    """As much of the name as there is room for, in bytes."""
    return database.encode()[: LONGEST_NAME - len(suffix)].decode(errors="ignore") + suffix


class Beside:
    def __init__(self, server, expected, directory):
        """`expected` is of the manifest: name of each database to what is known of it."""
        self._server, self._expected, self._directory = server, expected, directory
        self._new = {name: named(name, "_restoring") for name in expected}
        self._old = {name: named(name, "_replaced") for name in expected}

    def replaced(self):
        """Names of the databases that get another content; one that is empty here and in the backup is none of them."""
        there = self._server.databases()
        return [
            name
            for name, database in self._expected.items()
            if not (database.get("empty") and name in there and self._server.is_empty(name))
        ]

    def make(self):
        """Restored and compared; nothing that is in use is touched. One text for each thing that is not as it was."""
        self.clear()
        self._server.restore_globals(os.path.join(self._directory, "globals.sql"))
        problems = []
        for name in self.replaced():
            database, beside = self._expected[name], self._new[name]
            path = os.path.join(self._directory, database["file"])
            self._server.restore(beside, database["properties"], path, shown=name)
            self._server.ask(f"COMMENT ON DATABASE {identifier(beside)} IS {literal(MARK + 'being restored')}")
            # Without statistics the first queries would be slow.
            self._server.ask("ANALYZE", beside)
            problems += postgres.differences(name, database, self._server.described(beside))
        return problems

    def clear(self):
        for beside in self._new.values():
            self._server.ask(f"DROP DATABASE IF EXISTS {identifier(beside)} WITH (FORCE)")

    def swap(self, backup):
        """All at once, or none; once more does nothing. What was in use keeps its data under another name."""
        there = self._server.ask("SELECT datname FROM pg_database")
        made = {name: new for name, new in self._new.items() if new in there}
        if not made:
            return
        statements = ["BEGIN"]
        for name, new in made.items():
            old = self._old[name]
            self._server.ask(f"DROP DATABASE IF EXISTS {identifier(old)} WITH (FORCE)")
            if name in there:
                text = f"{MARK}replaced by the restore of {backup}"
                statements.append(f"ALTER DATABASE {identifier(name)} RENAME TO {identifier(old)}")
                statements.append(f"COMMENT ON DATABASE {identifier(old)} IS {literal(text)}")
            statements.append(f"ALTER DATABASE {identifier(new)} RENAME TO {identifier(name)}")
            statements.append(f"COMMENT ON DATABASE {identifier(name)} IS NULL")
        statements.append("COMMIT")
        names = ", ".join(literal(name) for name in (*made, *made.values()))
        away = f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname IN ({names})"
        for attempt in range(1, ATTEMPTS + 1):
            self._server.ask(away)
            try:
                self._server.ask(";\n".join(statements) + ";")
                return
            except Failure as failure:
                if "being accessed by other users" not in str(failure) or attempt == ATTEMPTS:
                    raise
                time.sleep(0.2)

    def keep(self):
        """The databases that were replaced and are still there; one that held nothing goes."""
        there, kept = self._server.ask("SELECT datname FROM pg_database"), []
        for old in self._old.values():
            if old in there and self._server.is_empty(old):
                self._server.ask(f"DROP DATABASE {identifier(old)} WITH (FORCE)")
            elif old in there:
                kept.append(old)
        return kept

    def since(self, database, moment):
        """How many of Lago's events came after that; None where there is no such table."""
        if database not in self._server.databases():
            return None
        if self._server.ask("SELECT to_regclass('public.events') IS NOT NULL", database)[0] != "t":
            return None
        # Rails keeps UTC, without saying so.
        count = f"SELECT count(*) FROM public.events WHERE created_at > to_timestamp({moment}) AT TIME ZONE 'UTC'"
        return int(self._server.ask(count, database)[0])

    def report(self):
        for name, database in self._expected.items():
            if database.get("empty"):
                continue
            rows = sum(database["tables"].values())
            say(
                f"Database {name}: {rows} rows in {len(database['tables'])} tables, {database['indexes']} indexes, "
                "each table as in the manifest"
            )
