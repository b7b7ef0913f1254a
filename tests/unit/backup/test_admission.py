# SPDX-FileCopyrightText: 2026 The selfhosting.lago authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""What speaks against restoring a backup here, all of it at once."""

import re
from types import SimpleNamespace

import admission
import manifest
import pytest

KEYS = {"SECRET_KEY_BASE": "a", "ENCRYPTION_PRIMARY_KEY": "b"}


@pytest.fixture
def server(monkeypatch):
    answers = SimpleNamespace(version=lambda: "17.2", ask=lambda _sql: ["plpgsql", "pgcrypto"])
    monkeypatch.setattr(admission, "server_of", lambda _configuration: answers)


@pytest.fixture
def configuration(tmp_path, server):
    (tmp_path / "env").write_text("".join(f"{name}={value}\n" for name, value in KEYS.items()))
    lago = {"version": "v1.52.1", "environment": str(tmp_path / "env"), "stops": {"v1.44.0": "v1.45.0"}}
    return {"host": "a.example.com", "lago": lago, "postgres": {"user": "root"}, "valkey": {"port": 1}, "storage": "/s"}


CONTENT = {
    "format": 1,
    "host": "a.example.com",
    "lago": {"version": "v1.52.1", "environment": "/mash/lago/api/env"},
    "keys": manifest.fingerprints(KEYS),
    "postgres": {"version": "17.1", "databases": {"lago": {"extensions": {"pgcrypto": "1.3"}}}},
}
PARTS = ["postgres", "valkey", "storage"]


def refusals(configuration, request=(), **content):
    return admission.refusals(configuration, {**CONTENT, **content}, PARTS, dict(request))


def lago(version):
    return {**CONTENT["lago"], "version": version}


def test_the_same_server(configuration):
    assert refusals(configuration) == []


@pytest.mark.parametrize("version", ["v1.52.0", "v1.45.0", "latest"])
def test_an_older_lago(configuration, version):
    assert refusals(configuration, lago=lago(version)) == []


@pytest.mark.parametrize(
    ("content", "text"),
    [
        ({"format": 2}, "format 2, and this program knows 1"),
        ({"host": "b.example.com"}, "backup of b.example.com, and this is a.example.com.*-e of_host=b.example.com"),
        ({"lago": lago("v1.53.0")}, "v1.52.1 is installed here.*Set lago_version: v1.53.0, .*: just install-all"),
        ({"lago": lago("v1.43.0")}, "done at v1.44.0. .*just rollback.* an empty server, .* lago_version: v1.43.0"),
        ({"keys": manifest.fingerprints({**KEYS, "SECRET_KEY_BASE": "x"})}, "keys are not those.*: SECRET_KEY_BASE"),
        (
            {"postgres": {"version": "18.0", "databases": {}}},
            "dumped by Postgres 18.0, and 17.2 runs here.*just upgrade-postgres -e postgres_upgrade_version=18, then",
        ),
        (
            {"postgres": {"version": "17.0", "databases": {"lago": {"extensions": {"pg_partman": "5"}}}}},
            r"does not have: pg_partman\. Install an image that has them",
        ),
    ],
)
def test_each_reason(configuration, content, text):
    (problem,) = refusals(configuration, **content)
    assert re.search(text, problem), problem


def test_what_is_not_enabled_here(configuration):
    problems = refusals({**configuration, "valkey": {}})
    assert problems == [
        "It holds data of Valkey, which is not enabled on this host: set valkey_enabled to true, and install it."
    ]


def test_another_host_that_is_meant(configuration):
    assert refusals(configuration, {"of_host": "b.example.com"}, host="b.example.com") == []


def test_all_reasons_together(configuration):
    """A backup of another host with other keys, which runs a newer Lago."""
    problems = refusals(configuration, host="b", lago=lago("v2.0.0"), keys={"SECRET_KEY_BASE": "0"})
    assert len(problems) == 3
