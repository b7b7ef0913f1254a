# SPDX-FileCopyrightText: 2026 The selfhosting.lago authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""The database: dumped by the project's Postgres, restored into the one of here, and compared.

A dump and no copy of the directory: the vendor's image is Alpine's, whose C library sorts text in another way, and may
be of another major version.
"""

from __future__ import annotations

import contextlib
import json
import os

import postgres
from shell import Failure, Progress, feed, say

TABLES = """
SELECT count(*) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
 WHERE c.relkind IN ('r', 'p') AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
"""


class Database:
    def __init__(self, configuration, dump, record):
        self._from, self._to = configuration["source"], configuration["target"]
        self._dump, self._record = dump, record

    def move(self):
        origin = postgres.Server(self._from["container"], self._from["user"])
        target = postgres.Server(self._to["container"], self._to["user"])
        tables = int(target.ask(TABLES, self._to["database"])[0])
        if tables and "database" not in self._record.values["begun"]:
            raise Failure(f"Database {self._to['database']} of {self._to['container']} has {tables} tables already.")
        self._record.begin("database")
        say(f"Dumping database {self._from['database']} of {self._from['container']}")
        try:
            expected = origin.dump(self._from["database"], self._dump)
            self._restore(target)
        finally:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(self._dump)
        found = target.described(self._to["database"])
        # Versions of extensions belong to the image.
        problems = postgres.differences(
            self._to["database"],
            {**expected, "extensions": sorted(expected["extensions"])},
            {**found, "extensions": sorted(found["extensions"])},
        )
        if problems:
            raise Failure(f"What was restored is not what was dumped: {'; '.join(problems[:20])}")
        rows = sum(expected["tables"].values())
        say(f"Rows of {len(expected['tables'])} tables compared: {rows}")

    def _restore(self, target):
        """Anew, with the properties of here; all of it belongs to Lago's user of here."""
        name, owner = self._to["database"], self._to["owner"]
        properties = json.loads(target.ask(postgres.PROPERTIES, name)[0])
        say(f"Restoring it into {self._to['container']}")
        target.ask(f"DROP DATABASE {postgres.identifier(name)} WITH (FORCE)")
        target.create(name, properties)
        options = ["--exit-on-error", "--no-owner", "--no-privileges", f"--role={owner}", f"--dbname={name}"]
        progress = Progress(f"Restoring database {name}", os.path.getsize(self._dump))
        feed(target.program("pg_restore", *options), self._dump, progress)
        target.ask("ANALYZE", name)
