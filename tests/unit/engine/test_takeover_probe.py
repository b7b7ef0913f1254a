# SPDX-FileCopyrightText: 2026 The selfhosting.lago authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""What the probe tells of a server that another playbook set up."""

import pytest
from ansible_collections.selfhosting.lago.plugins.module_utils import takeover
from ansible_collections.selfhosting.lago.plugins.module_utils.engine import keyed_digest

UNIT = """[Unit]
Requires=docker.service
After=docker.service mash-postgres.service
[Service]
ExecStartPre=/usr/bin/env docker create \\
      --name=mash-lago-api \\
      --network=mash-lago \\
      docker.io/getlago/api:v1.31.0
ExecStartPre=/usr/bin/env docker network connect traefik mash-lago-api
ExecStart=/usr/bin/env docker start --attach mash-lago-api
"""


@pytest.fixture
def units(tmp_path, monkeypatch):
    monkeypatch.setattr(takeover, "UNIT_DIRECTORY", str(tmp_path))

    def write(**texts):
        for name, text in texts.items():
            (tmp_path / f"{name.replace('_', '-')}.service").write_text(text)

    return write


def test_units_of_others(units, monkeypatch):
    states = {"mash-lago-api.service": {"ActiveState": "active"}, "mash-miniflux.service": {"ActiveState": "failed"}}
    monkeypatch.setattr(takeover, "show_units", lambda names: {name: states[name] for name in names})
    units(mash_lago_api=UNIT, mash_valkey="[X-SelfHosting]\nProduct=mash-valkey\n", mash_miniflux="x", other="y")
    assert takeover.foreign_units("mash") == {
        "mash-lago-api.service": {
            "image": "docker.io/getlago/api:v1.31.0",
            "uses": ["mash-lago", "mash-postgres.service", "traefik"],
            "active": True,
        },
        "mash-miniflux.service": {"image": "", "uses": [], "active": False},
    }


@pytest.mark.parametrize(
    ("reference", "expected"),
    [
        ("docker.io/getlago/api:v1.31.0", "v1.31.0"),
        ("registry.example.com:5000/getlago/api:v1.52.1@sha256:" + "0" * 64, "v1.52.1"),
        ("registry.example.com:5000/getlago/api", ""),
        ("getlago/api:latest", ""),
        ("", ""),
    ],
)
def test_release_of(reference, expected):
    assert takeover.release_of(reference) == expected


def test_release_in():
    assert takeover.release_in(["PATH=/bin", "LAGO_VERSION=v1.51.0"]) == "v1.51.0"
    assert takeover.release_in([]) == ""


@pytest.mark.parametrize(
    ("releases", "expected"), [(("v1.9.0", "v1.10.0"), "v1.10.0"), (("", "v1.2.3"), "v1.2.3"), (("", ""), "")]
)
def test_newest(releases, expected):
    assert takeover.newest(*releases) == expected


def test_entry_points(tmp_path):
    path = tmp_path / "traefik.yml"
    path.write_text(
        "log:\n  level: INFO\nentryPoints:\n"
        "  # of the user\n  web:\n    address: ':8080'\n  'ssh':\n    address: x\nping: {}\n"
    )
    assert takeover.entry_points(str(path)) == ["ssh", "web"]
    assert takeover.entry_points(str(tmp_path / "none")) == []


def test_environment_digests(tmp_path):
    path = tmp_path / "env"
    path.write_text("# comment=1\nA=b=c\n\nB=\n")
    digests = takeover.environment_digests(str(path), "key")
    assert digests == {"A": keyed_digest("key", b"b=c"), "B": keyed_digest("key", b"")}
    assert takeover.environment_digests(str(tmp_path / "none"), "key") == {}


def test_databases_and_schema(commands):
    answers = {
        "docker exec mash-postgres psql --no-psqlrc --tuples-only --no-align --username=root --dbname=postgres": (
            0,
            '{"lago": ["C", "C"]}\n',
        ),
        "docker exec mash-postgres psql --no-psqlrc --tuples-only --no-align --username=root --dbname=lago": (
            0,
            "20250122112050\n",
        ),
    }
    asked = commands(takeover, answers)
    assert takeover.databases("mash-postgres", "root") == {"lago": ["C", "C"]}
    assert takeover.schema("mash-postgres", "root", "lago", ["20250122112050", "'; DROP"]) == ["20250122112050"]
    assert "DROP" not in asked[-1]
    commands(takeover, {"docker exec": (1, "")})
    assert takeover.databases("mash-postgres", "root") is None


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("postgresql://lago:p%2Fw@mash-postgres:5432/lago", "lago@mash-postgres:5432/lago"),
        # MASH does not encode.
        ("postgresql://lago:p@s/s:w?rd@mash-postgres:5432/lago?sslmode=disable", "lago@mash-postgres:5432/lago"),
        ("postgres://lago@db.example.com/lago", "lago@db.example.com/lago"),
        ("", ""),
        ("nonsense", ""),
    ],
)
def test_what_lago_connects_to(tmp_path, url, expected):
    assert takeover.database_target(url) == expected
    path = tmp_path / "env"
    path.write_text(f"RAILS_ENV=production\nDATABASE_URL={url}\n")
    found = takeover.database_of(str(path), "key")
    assert found == {"target": expected, "url": takeover.keyed_digest("key", url.encode()) if url else ""}
    assert takeover.database_of(str(tmp_path / "gone"), "key") == {"target": "", "url": ""}
