# SPDX-FileCopyrightText: 2026 The selfhosting.lago authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Databases are replaced in one transaction; the SQL itself is run by the scenario."""

import beside
import postgres
import pytest
from shell import Failure

EXPECTED = {"lago": {"tables": {"a": 1}}, "other": {"tables": {}}}
GLOBALS = """
CREATE ROLE lago;
ALTER ROLE lago WITH LOGIN PASSWORD 'SCRAM-SHA-256$x';
CREATE ROLE root;
ALTER ROLE root WITH SUPERUSER PASSWORD 'SCRAM-SHA-256$y';
CREATE ROLE "a b";
GRANT lago TO root WITH INHERIT TRUE GRANTED BY root;
GRANT root TO lago WITH INHERIT TRUE GRANTED BY root;
"""


class Server:
    """Notes what it is asked; `busy` is how often a database is in use."""

    def __init__(self, there, busy=0, empty=()):
        self.there, self.busy, self.empty, self.asked = there, busy, empty, []

    def databases(self):
        return self.there

    def is_empty(self, database):
        return database in self.empty

    def ask(self, sql, *_database):
        self.asked.append(sql)
        if sql.startswith("BEGIN") and self.busy:
            self.busy -= 1
            raise Failure("database is being accessed by other users")
        return self.there if sql == "SELECT datname FROM pg_database" else []

    @property
    def transactions(self):
        return [sql for sql in self.asked if sql.startswith("BEGIN")]


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch):
    monkeypatch.setattr(beside.time, "sleep", lambda _seconds: None)


def test_all_databases_change_at_once():
    server = Server(["lago", "lago_restoring", "other_restoring"])
    beside.Beside(server, EXPECTED, "/set").swap("12345678")
    (transaction,) = server.transactions
    assert transaction.splitlines() == [
        "BEGIN;",
        'ALTER DATABASE "lago" RENAME TO "lago_replaced";',
        "COMMENT ON DATABASE \"lago_replaced\" IS 'selfhosting.lago: replaced by the restore of 12345678';",
        'ALTER DATABASE "lago_restoring" RENAME TO "lago";',
        'COMMENT ON DATABASE "lago" IS NULL;',
        'ALTER DATABASE "other_restoring" RENAME TO "other";',
        'COMMENT ON DATABASE "other" IS NULL;',
        "COMMIT;",
    ]


def test_once_more_does_nothing():
    server = Server(["lago", "lago_replaced", "other"])
    beside.Beside(server, EXPECTED, "/set").swap("12345678")
    assert not server.transactions
    assert not [sql for sql in server.asked if "DROP" in sql], "what is kept would be lost"


def test_clients_that_come_back_are_sent_away_again():
    server = Server(["lago", "lago_restoring", "other_restoring"], busy=3)
    beside.Beside(server, EXPECTED, "/set").swap("12345678")
    assert len(server.transactions) == 4
    server.busy = beside.ATTEMPTS
    with pytest.raises(Failure, match="being accessed"):
        beside.Beside(server, EXPECTED, "/set").swap("12345678")


def test_what_is_empty_here_and_in_the_backup_stays_as_it_is():
    expected = {"lago": {}, "main": {"empty": True}, "other": {"empty": True}, "third": {"empty": True}}
    assert beside.Beside(Server(["lago", "main", "other"], empty=["main"]), expected, "/set").replaced() == [
        "lago",
        # Not empty here, and not there.
        "other",
        "third",
    ]
    server = Server(["lago", "lago_restoring", "main"])
    beside.Beside(server, expected, "/set").swap("12345678")
    assert "main" not in server.transactions[0]


def test_what_held_nothing_is_not_kept():
    server = Server(["lago", "lago_replaced", "other", "other_replaced"], empty=["other_replaced"])
    assert beside.Beside(server, EXPECTED, "/set").keep() == ["lago_replaced"]
    assert [sql for sql in server.asked if "DROP" in sql] == ['DROP DATABASE "other_replaced" WITH (FORCE)']


@pytest.mark.parametrize("name", ["x" * 63, "ä" * 31])
def test_long_names_are_shortened_as_postgres_would_not(name):
    shortened = beside.named(name, "_restoring")
    assert shortened.endswith("_restoring")
    assert len(shortened.encode()) <= 63
    assert beside.named("lago", "_restoring") == "lago_restoring"


def test_roles_that_are_there_stay_as_they_are():
    kept = postgres.missing_roles(GLOBALS, ["root", "pg_monitor"]).splitlines()
    assert kept == [
        "CREATE ROLE lago;",
        "ALTER ROLE lago WITH LOGIN PASSWORD 'SCRAM-SHA-256$x';",
        'CREATE ROLE "a b";',
        "GRANT root TO lago WITH INHERIT TRUE GRANTED BY root;",
    ]
    assert postgres.missing_roles(GLOBALS, ["root", "lago", '"a b"']) == ""
