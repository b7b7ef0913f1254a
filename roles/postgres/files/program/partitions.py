# SPDX-FileCopyrightText: 2026 The selfhosting.lago authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Makes the next partitions of each table that pg_partman knows, and removes those that are over."""

from __future__ import annotations

import json

import postgres
from shell import Failure, run, say

EXTENSION = """
SELECT json_build_array(n.nspname, pg_get_userbyid(e.extowner))
  FROM pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace WHERE e.extname = 'pg_partman'
"""
PARTITIONS = """
SELECT count(*) FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhparent WHERE c.relkind = 'p'
"""
# Partitioned tables of the database that pg_partman does not know: getlago/lago#787 for enriched_events.
UNKNOWN = """
SELECT format('%I.%I', n.nspname, c.relname)
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
 WHERE c.relkind = 'p' AND NOT c.relispartition
   AND NOT EXISTS (SELECT FROM {schema}.part_config WHERE parent_table = n.nspname || '.' || c.relname)
 ORDER BY 1
"""


def maintain(configuration):
    server = postgres.Server(configuration["container"], configuration["user"])
    state = run(["docker", "inspect", "--format={{.State.Running}}", server.container], check=False)
    if state.stdout.strip() != "true":
        say("Postgres does not run: nothing to do")
        return
    problems, used = [], False
    for database in server.databases():
        found = server.ask(EXTENSION, database)
        if not found:
            continue
        used = True
        schema, owner = (postgres.identifier(name) for name in json.loads(found[0]))
        try:
            say(maintained(server, database, schema, owner))
        except Failure as error:
            problems.append(f"{database}: {error}")
    if not used:
        say("No database uses pg_partman")
    if problems:
        raise Failure("Partitions were not maintained:\n" + "\n".join(f"  {problem}" for problem in problems))


def maintained(server, database, schema, owner):
    known = int(server.ask(f"SELECT count(*) FROM {schema}.part_config", database)[0])
    before = int(server.ask(PARTITIONS, database)[0])
    if known:
        # As the owner of the extension, so that new partitions are not the superuser's.
        server.ask(f"SET ROLE {owner};\nCALL {schema}.run_maintenance_proc()", database)
    after = int(server.ask(PARTITIONS, database)[0])
    text = f"{database}: {known} partitioned tables in pg_partman's care, {after} partitions ({after - before:+})"
    unknown = server.ask(UNKNOWN.format(schema=schema), database)
    if unknown:
        text += f"; not in its care, all rows go to the default partition: {', '.join(unknown)}"
    return text
