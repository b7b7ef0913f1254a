# SPDX-FileCopyrightText: 2026 The selfhosting.lago authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""A file of pg_dump or pg_dumpall: what is in it, whether all of it is there, and how it is read into a server."""

from __future__ import annotations

import contextlib
import gzip
import os
import re
import subprocess

from shell import Failure, Progress

KINDS = {b"PGDMP": "custom", b"\x1f\x8b": "gzip", b"\x28\xb5\x2f\xfd": "zstd"}
NAME = r'(?:"((?:[^"]|"")+)"|([^\s";]+))'
CONNECT = re.compile(rf"\\connect (?:-reuse-previous=on )?{NAME}")
CREATE_DATABASE = re.compile(rf"CREATE DATABASE {NAME} ")
CREATE_ROLE = re.compile(rf"CREATE ROLE {NAME};")
ALTER_ROLE = re.compile(rf"ALTER ROLE {NAME} ")
# Of pg_dumpall --clean: what is there is kept or renamed before.
DROP = re.compile(r"DROP (DATABASE|ROLE|TABLESPACE) ")
CREATE_EXTENSION = re.compile(r"CREATE EXTENSION [^;]*;$")
COPY = re.compile(r"COPY (\S+|\S*\".*\"\S*) \(.*\) FROM stdin;$")
CLUSTER, ONE = "-- PostgreSQL database cluster dump", "-- PostgreSQL database dump"
# Nobody can give an extension to another owner later, and Lago's migrations need to own theirs.
AS_OWNER = """DO $import$ BEGIN
  BEGIN
    EXECUTE format('SET LOCAL ROLE %I',
                   (SELECT pg_get_userbyid(datdba) FROM pg_database WHERE datname = current_database()));
    {statement}
    RESET ROLE;
  EXCEPTION WHEN insufficient_privilege THEN
    {statement}
  END;
END $import$;
"""


def matched(pattern, line):
    """The name in it without its quotes."""
    found = pattern.match(line)
    return found and (found.group(1).replace('""', '"') if found.group(1) else found.group(2))


class DumpFile:
    def __init__(self, path, container):
        self.path, self._container = path, container
        try:
            with open(path, "rb") as file:
                start = file.read(5)
        except OSError as error:
            raise Failure(f"server_path_postgres_dump: {path}: {error.strerror}. Nothing was changed.") from error
        self.size = os.path.getsize(path)
        self.kind = next((kind for magic, kind in KINDS.items() if start.startswith(magic)), "plain")

    @contextlib.contextmanager
    def lines(self, what):
        """Its lines as bytes. One that breaks off is an error, and so is what unpacks it."""
        progress = Progress(what, self.size)
        with contextlib.ExitStack() as stack:
            file = stack.enter_context(open(self.path, "rb"))
            process, source = None, file
            if self.kind == "gzip":
                source = stack.enter_context(gzip.open(file))
            elif self.kind == "zstd":
                # The server need not have the program, Postgres' image has.
                command = [
                    "docker",
                    "exec",
                    "--interactive",
                    self._container,
                    "zstd",
                    "--decompress",
                    "--stdout",
                    "--quiet",
                ]
                process = stack.enter_context(
                    subprocess.Popen(command, stdin=file, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
                )
                source = process.stdout

            def each():
                try:
                    for number, line in enumerate(source):
                        if not number % 1000:
                            # However it is read, this is how far.
                            progress.add(os.lseek(file.fileno(), 0, os.SEEK_CUR) - progress.done)
                        yield line
                except (EOFError, gzip.BadGzipFile, OSError) as error:
                    raise Failure(f"{self.path} cannot be read to its end: {error}") from error
                if process and process.wait():
                    said = process.stderr.read().decode(errors="replace").strip()
                    raise Failure(f"{self.path} cannot be read to its end: {said}")

            try:
                yield each()
            finally:
                if process and process.poll() is None:
                    process.kill()


class Scan:
    """What a dump in SQL will do, found out before it does."""

    def __init__(self, lines, database):
        self.cluster, self.databases, self.creates, self.rows = False, [], [], {}
        self._ends, headed, copying = "", False, None
        current = database
        for raw in lines:
            line = raw.decode(errors="replace").rstrip("\r\n")
            if copying:
                if line == "\\.":
                    copying = None
                else:
                    self.rows[copying] += 1
                continue
            if line.startswith("--"):
                self.cluster = self.cluster or line == CLUSTER
                headed = headed or line in (CLUSTER, ONE)
                self._ends = line if line.endswith(" complete") else self._ends
                continue
            if line and not line.startswith(("\\unrestrict", "\\restrict")):
                self._ends = ""
            if CONNECT.match(line):
                current = matched(CONNECT, line)
                self._note(self.databases, current)
            elif CREATE_DATABASE.match(line):
                self._note(self.creates, matched(CREATE_DATABASE, line))
            elif COPY.match(line):
                copying = (current, COPY.match(line).group(1))
                self.rows.setdefault(copying, 0)
        wanted = f"{CLUSTER if self.cluster else ONE} complete"
        # A file that somebody wrote by hand has no such line.
        self.complete = not copying and (not headed or self._ends == wanted)
        if not self.cluster and not self.databases:
            self.databases = [database]

    @staticmethod
    def _note(names, name):
        if name not in names:
            names.append(name)


def adapted(lines, superuser, roles, databases):
    """The lines for a server that has some roles and databases already; the superuser stays as it is."""
    copying = False
    for raw in lines:
        line = raw.decode(errors="replace").rstrip("\r\n")
        if copying:
            copying = line != "\\."
            yield raw
        elif COPY.match(line):
            copying = True
            yield raw
        elif (
            matched(CREATE_ROLE, line) in roles
            or matched(CREATE_DATABASE, line) in databases
            or matched(ALTER_ROLE, line) == superuser
            or DROP.match(line)
        ):
            continue
        elif CREATE_EXTENSION.match(line):
            yield AS_OWNER.format(statement=line).encode()
        else:
            yield raw
