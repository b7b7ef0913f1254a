# SPDX-FileCopyrightText: 2026 The selfhosting.lago authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""An upgrade is rehearsed in containers that reach nothing; the containers themselves are run by the scenario."""

import contextlib
import json
from types import SimpleNamespace

import pytest
import rehearsal

SAID = """== 20260101000000 AddColumn: migrating ======
-- add_column(:events, :x)
== 20260101000000 AddColumn: migrated (0.0123s) =====
== 20260102000000 Backfill: migrated (12.5000s) =====
"""
HOP = {
    "version": "v1.53.0",
    "image": "getlago/api:v1.53.0",
    "command": ["./scripts/migrate.sh"],
    "tasks": [{"name": "upgrade:perform_required_jobs", "environment": {"DRY_RUN": "false"}, "endless": False}],
}
CONFIGURATION = {
    "identifier": "mash-backup",
    "postgres": {"user": "root", "image": "postgres", "ids": "1:1"},
    "valkey": {"image": "valkey"},
}


@pytest.fixture
def rehearse(monkeypatch, tmp_path):
    asked, queue = [], iter([2, 0])

    def run(command, **_options):
        asked.append(command)
        return SimpleNamespace(returncode=0, stdout=str(next(queue)) if "EVAL" in command else "", stderr="")

    @contextlib.contextmanager
    def started(command, **_pipes):
        asked.append(command)
        yield SimpleNamespace(stdout=SAID.splitlines(keepends=True))

    monkeypatch.setattr(rehearsal, "run", run)
    monkeypatch.setattr(rehearsal, "started", started)
    monkeypatch.setattr(rehearsal.time, "sleep", lambda _seconds: None)
    monkeypatch.setattr("trial.run", run)
    sizes = iter([100, 150])
    monkeypatch.setattr(rehearsal.Rehearsal, "check_postgres", lambda _self: [])
    monkeypatch.setattr(rehearsal.Rehearsal, "size", lambda _self: next(sizes))
    (tmp_path / "manifest.json").write_text(
        json.dumps({"lago": {"ids": "2:2", "environment": "/mash/lago/api/env", "database": "lago"}})
    )

    def rehearse():
        rehearsal.rehearse({**CONFIGURATION, "data_path": str(tmp_path)}, str(tmp_path), str(tmp_path), [HOP])
        return asked, json.loads((tmp_path / rehearsal.RESULT).read_text())

    return rehearse


def test_each_migration_has_its_time(rehearse, capsys):
    _asked, result = rehearse()
    (hop,) = result["hops"]
    assert [(one["name"], one["seconds"]) for one in hop["migrations"]] == [("AddColumn", 0.0123), ("Backfill", 12.5)]
    assert [task["name"] for task in hop["tasks"]] == ["upgrade:perform_required_jobs"]
    assert (result["bytes_before"], result["bytes_after"]) == (100, 150)
    said = capsys.readouterr().out
    assert "2 migrations 12.5 s" in said
    assert "20260102000000 Backfill: 12.50 s" in said
    assert "AddColumn" not in said, "what takes no time is not worth a line"
    assert "The database: 100 B before, 150 B after" in said


def test_nothing_reaches_the_outside_and_no_clock_runs(rehearse):
    asked, _result = rehearse()
    assert ["docker", "network", "create", "--internal", "mash-backup-rehearsal"] in asked
    started = [command for command in asked if command[:2] == ["docker", "run"]]
    assert len(started) == 4, "Valkey, migration, worker, task"
    for command in started:
        assert [word for word in command if word.startswith("--network")] == ["--network=mash-backup-rehearsal"]
        assert not [word for word in command if word.startswith("--publish") or "clock" in word]
    assert "--env=DRY_RUN=false" in started[-1]


def test_all_of_it_goes(rehearse):
    asked, _result = rehearse()
    last = asked[asked.index(next(command for command in reversed(asked) if command[:2] == ["docker", "run"])) :]
    gone = {name for command in last if command[:3] == ["docker", "rm", "--force"] for name in command[4:]}
    assert {f"mash-backup-rehearsal-{name}" for name in ("postgres", "valkey", "lago", "lago-worker")} <= gone
    assert ["docker", "network", "rm", "mash-backup-rehearsal"] in last
