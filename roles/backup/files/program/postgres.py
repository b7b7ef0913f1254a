# SPDX-FileCopyrightText: 2026 The selfhosting.lago authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Dumps from one snapshot with the counts of that snapshot, and their way back."""

from __future__ import annotations

import contextlib
import json
import os
import re
import subprocess

from shell import Failure, Progress, feed, run, stream

# Connected to while others are dropped and made.
MAINTENANCE = "template1"
SOCKET = "/var/run/postgresql"
# Rows of an extension's own tables come with CREATE EXTENSION; only those that it marks as configuration are dumped.
TABLES = """
SELECT format('%I.%I', n.nspname, c.relname)
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
 WHERE c.relkind = 'r' AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
   AND (NOT EXISTS (SELECT FROM pg_depend d
                     WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e')
        OR EXISTS (SELECT FROM pg_extension e WHERE c.oid = ANY (e.extconfig)))
 ORDER BY 1
"""
INDEXES = """
SELECT count(*) FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_namespace n ON n.oid = c.relnamespace
 WHERE n.nspname !~ '^pg_' AND n.nspname <> 'information_schema' AND i.indisvalid
"""
EXTENSIONS = "SELECT json_object_agg(extname, extversion) FROM pg_extension"
# Nothing in it that a dump would hold.
EMPTY = """
SELECT NOT EXISTS (SELECT FROM pg_namespace WHERE nspname !~ '^pg_' AND nspname NOT IN ('information_schema', 'public'))
   AND NOT EXISTS (SELECT FROM pg_class WHERE relnamespace = to_regnamespace('public'))
   AND NOT EXISTS (SELECT FROM pg_proc WHERE pronamespace = to_regnamespace('public'))
   AND NOT EXISTS (SELECT FROM pg_type WHERE typnamespace = to_regnamespace('public'))
   AND NOT EXISTS (SELECT FROM pg_largeobject_metadata)
   AND NOT EXISTS (SELECT FROM pg_extension WHERE extname <> 'plpgsql')
"""
HAS_MIGRATIONS = "SELECT to_regclass('public.schema_migrations') IS NOT NULL"
SCHEMA_VERSION = "SELECT coalesce(max(version), '') FROM public.schema_migrations"
PROPERTIES = """
SELECT json_build_object(
  'owner', pg_get_userbyid(datdba),
  'encoding', pg_encoding_to_char(encoding), 'collate', datcollate,
  'ctype', datctype,
  'public', datacl IS NULL
    OR EXISTS (SELECT FROM aclexplode(datacl) WHERE grantee = 0 AND privilege_type = 'CONNECT'),
  'extension_owners',
    (SELECT json_agg(DISTINCT pg_get_userbyid(extowner)) FROM pg_extension WHERE extname <> 'plpgsql'))
  FROM pg_database WHERE datname = current_database()
"""
# What a restore works on, and what it keeps of before, carries this as a comment, and is no part of a backup.
MARK = "selfhosting.lago: "
OURS = f"starts_with(coalesce(shobj_description(oid, 'pg_database'), ''), '{MARK}')"
DATABASES = f"SELECT datname FROM pg_database WHERE datallowconn AND NOT datistemplate AND NOT {OURS} ORDER BY 1"
SIZE = f"SELECT sum(pg_database_size(oid)) FROM pg_database WHERE NOT {OURS}"
NAME = r'(?:"(?:[^"]|"")*"|[^" ;]+)'
ABOUT_ROLE = re.compile(rf"(?:(?:CREATE|ALTER) ROLE|GRANT {NAME} TO) (?P<role>{NAME})")
END = "--end-of-answer--"


class Session:
    """One psql that stays open: a snapshot lives as long as the transaction that exported it."""

    def __init__(self, container, user, database):
        self._process = subprocess.Popen(
            ["docker", "exec", "--interactive", container, *psql(user, database)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def ask(self, sql):
        """The lines of the answer."""
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.write(f"{sql};\n\\echo {END}\n")
            self._process.stdin.flush()
        lines = []
        for line in self._process.stdout:
            if line.strip() == END:
                return lines
            lines.append(line.rstrip("\n"))
        raise Failure(f"Postgres: {self._process.stderr.read().strip()}")

    def close(self):
        for pipe in (self._process.stdin, self._process.stdout, self._process.stderr):
            with contextlib.suppress(BrokenPipeError):
                pipe.close()
        self._process.wait()


def psql(user, database):
    return [
        "psql", "--no-psqlrc", "--quiet", "--tuples-only", "--no-align", "--set=ON_ERROR_STOP=1",
        f"--host={SOCKET}", f"--username={user}", f"--dbname={database}",
    ]  # fmt: skip


class Server:
    """A Postgres in a container."""

    def __init__(self, container, user):
        self.container, self.user = container, user

    def ask(self, sql, database=MAINTENANCE):
        command = ["docker", "exec", "--interactive", self.container, *psql(self.user, database)]
        return run(command, stdin=sql).stdout.splitlines()

    def program(self, name, *arguments):
        connection = [f"--host={SOCKET}", f"--username={self.user}"]
        return ["docker", "exec", "--interactive", self.container, name, *connection, *arguments]

    def version(self):
        return self.ask("SHOW server_version")[0]

    def databases(self):
        return self.ask(DATABASES)

    def size(self):
        return int(self.ask(SIZE)[0])

    def dump(self, database, path):
        """Whole, in custom format, uncompressed: the repository compresses, and stores once what did not change."""
        size = int(self.ask("SELECT pg_database_size(current_database())", database)[0])
        session = Session(self.container, self.user, database)
        try:
            session.ask("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
            snapshot = session.ask("SELECT pg_export_snapshot()")[0]
            options = ["--format=custom", "--compress=0", f"--snapshot={snapshot}", f"--dbname={database}"]
            stream(self.program("pg_dump", *options), path, Progress(f"Dumping database {database}", size))
            return {**describe(session.ask), "bytes": size, "properties": json.loads(session.ask(PROPERTIES)[0])}
        finally:
            session.close()

    def dump_globals(self, path):
        stream(self.program("pg_dumpall", "--globals-only"), path, Progress("Dumping roles"))

    def described(self, database):
        session = Session(self.container, self.user, database)
        try:
            return describe(session.ask)
        finally:
            session.close()

    def is_empty(self, database):
        return self.ask(EMPTY, database)[0] == "t"

    def restore_globals(self, path):
        """The roles that are missing, with their passwords; one that is there stays as it is."""
        with open(path, encoding="utf-8") as file:
            text = file.read()
        missing = missing_roles(text, self.ask("SELECT quote_ident(rolname) FROM pg_roles"))
        if missing:
            self.ask(missing)

    def create(self, database, properties):
        """An empty one with the properties of another."""
        name = identifier(database)
        self.ask(
            f"CREATE DATABASE {name} OWNER {identifier(properties['owner'])} TEMPLATE template0"
            f" ENCODING {literal(properties['encoding'])}"
            f" LC_COLLATE {literal(properties['collate'])} LC_CTYPE {literal(properties['ctype'])}"
        )
        if not properties["public"]:
            self.ask(f"REVOKE CONNECT ON DATABASE {name} FROM PUBLIC")

    def restore(self, database, properties, path, shown=None):
        """Into a database that is made anew in place of one that is there; the first error ends it."""
        owner = properties["owner"]
        self.ask(f"DROP DATABASE IF EXISTS {identifier(database)} WITH (FORCE)")
        self.create(database, properties)
        options = ["--exit-on-error", f"--dbname={database}"]
        # Nobody can give an extension to another owner later, and Lago's migrations need to own theirs.
        if owner in (properties["extension_owners"] or []):
            options.append(f"--role={owner}")
        progress = Progress(f"Restoring database {shown or database}", os.path.getsize(path))
        feed(self.program("pg_restore", *options), path, progress)


def identifier(name):
    return '"' + name.replace('"', '""') + '"'


def literal(text):
    return "'" + text.replace("'", "''") + "'"


def missing_roles(text, there):
    """Of what pg_dumpall wrote, the lines about roles that are not there."""
    found = ((ABOUT_ROLE.match(line), line) for line in text.splitlines())
    return "\n".join(line for match, line in found if match and match["role"] not in there)


def describe(ask):
    """What a restored database is compared by."""
    names, tables = ask(TABLES), {}
    progress = Progress("Counting rows", len(names), shown="{} tables".format)
    for name in names:
        tables[name] = int(ask(f"SELECT count(*) FROM ONLY {name}")[0])
        progress.add(1)
    found = {
        "tables": tables,
        "indexes": int(ask(INDEXES)[0]),
        "extensions": json.loads(ask(EXTENSIONS)[0] or "{}"),
        "empty": ask(EMPTY)[0] == "t",
        "schema_version": "",
    }
    if ask(HAS_MIGRATIONS)[0] == "t":
        found["schema_version"] = ask(SCHEMA_VERSION)[0]
    return found


def differences(database, expected, found):
    """One text for each thing that a restored database has otherwise than the one that was dumped."""
    texts = []
    for name in sorted({*expected["tables"], *found["tables"]}):
        before, after = expected["tables"].get(name), found["tables"].get(name)
        if before != after:
            texts.append(f"{database}, table {name}: {counted(before)} when it was dumped, {counted(after)} restored")
    for key in ("indexes", "extensions", "schema_version"):
        if expected[key] != found[key]:
            texts.append(f"{database}, {key}: {expected[key]} when it was dumped, {found[key]} restored")
    return texts


def counted(rows):
    return "no such table" if rows is None else f"{rows} rows"
