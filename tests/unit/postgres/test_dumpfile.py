# SPDX-FileCopyrightText: 2026 The selfhosting.lago authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""What a file of pg_dumpall does is known before it does it."""

import gzip

import pytest
from dumpfile import DumpFile, Scan, adapted
from shell import Failure

CLUSTER = """--
-- PostgreSQL database cluster dump
--
CREATE ROLE lago;
ALTER ROLE lago WITH NOSUPERUSER LOGIN PASSWORD 'SCRAM-SHA-256$lago';
CREATE ROLE root;
ALTER ROLE root WITH SUPERUSER PASSWORD 'SCRAM-SHA-256$old';
\\connect template1
--
-- PostgreSQL database dump
--
-- PostgreSQL database dump complete
--
-- PostgreSQL database dump
--
CREATE DATABASE lago WITH TEMPLATE = template0 ENCODING = 'UTF8';
\\connect lago
CREATE EXTENSION IF NOT EXISTS pg_trgm WITH SCHEMA public;
COPY public.events (id, text) FROM stdin;
1\tCREATE ROLE lago;
2\tALTER ROLE root WITH NOLOGIN
\\.
COPY public."We ird" (a) FROM stdin;
\\.
--
-- PostgreSQL database dump complete
--
--
-- PostgreSQL database cluster dump complete
--
"""


def lines(text):
    return [line.encode() for line in text.splitlines(keepends=True)]


def test_what_a_cluster_holds():
    scan = Scan(lines(CLUSTER), "main")
    assert (scan.cluster, scan.complete) == (True, True)
    assert (scan.databases, scan.creates) == (["template1", "lago"], ["lago"])
    assert scan.rows == {("lago", "public.events"): 2, ("lago", 'public."We ird"'): 0}


@pytest.mark.parametrize("end", ["-- PostgreSQL database cluster dump complete", "2\tALTER", "COPY public.events"])
def test_one_that_breaks_off(end):
    assert not Scan(lines(CLUSTER[: CLUSTER.index(end)]), "main").complete


def test_one_database_goes_where_it_is_told_to():
    text = (
        "-- PostgreSQL database dump\nCREATE TABLE a (a int);\n-- PostgreSQL database dump complete\n\\unrestrict x\n"
    )
    scan = Scan(lines(text), "main")
    assert (scan.cluster, scan.complete, scan.databases) == (False, True, ["main"])
    assert Scan(lines("CREATE TABLE by_hand (a int);\n"), "main").complete


def test_what_is_there_stays():
    found = b"".join(adapted(lines(CLUSTER), "root", ["root", "lago"], ["main"])).decode()
    assert "\nCREATE ROLE" not in found
    assert "ALTER ROLE root" not in found.replace("2\tALTER ROLE root", "")
    assert "ALTER ROLE lago" in found
    assert "1\tCREATE ROLE lago;\n2\tALTER ROLE root WITH NOLOGIN\n" in found, "rows are no commands"
    assert "CREATE DATABASE lago" in found
    assert "CREATE DATABASE" not in b"".join(adapted(lines(CLUSTER), "root", [], ["lago"])).decode()


def test_an_extension_belongs_to_the_owner_of_the_database():
    found = b"".join(adapted(lines(CLUSTER), "root", [], [])).decode()
    assert (
        found.index("SET LOCAL ROLE")
        < found.index("CREATE EXTENSION IF NOT EXISTS pg_trgm")
        < found.index("RESET ROLE")
    )


def test_a_file_with_gzip(tmp_path):
    path = tmp_path / "dump.sql.gz"
    path.write_bytes(gzip.compress(CLUSTER.encode()))
    with DumpFile(str(path), "none").lines("Reading") as found:
        assert list(found) == lines(CLUSTER)
    path.write_bytes(gzip.compress(CLUSTER.encode())[:-20])
    with (
        pytest.raises(Failure, match="cannot be read to its end"),
        DumpFile(str(path), "none").lines("Reading") as found,
    ):
        list(found)


def test_a_file_that_is_not_there():
    with pytest.raises(Failure, match="server_path_postgres_dump: /none/dump"):
        DumpFile("/none/dump", "none")
