# SPDX-FileCopyrightText: 2026 The selfhosting.lago authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""A restore that is cut off at any step leaves the old state, or is completed by the next call."""

import json
import os
from types import SimpleNamespace

import pytest
import restore
from shell import Failure

SNAPSHOT = {"id": "12345678" * 8, "short_id": "12345678", "time": "2026-01-02T03:04:05Z"}
LAGO = {
    "identifier": "mash-lago",
    "front": "mash-lago-front",
    "migrate": "mash-lago-migrate",
    "version": "v1.52.1",
    "rsa_key": "",
}
FRONT = "mash-lago-front.service"
STEPS = ["stop", "swap", "compare", "valkey", "storage", "start"]


class World:
    """Everything that a restore calls, noted in order; `dies_at` is where it is cut off."""

    def __init__(self, monkeypatch, tmp_path):
        self.done, self.dies_at, self.path = [], None, tmp_path
        # A worker that somebody stopped by hand comes up at a boot all the same.
        self.running, self.at_boot = {"mash-lago-api.service"}, {"mash-lago-api.service", "mash-lago-worker.service"}
        self.problems, self.refused, self.database = [], [], "old"
        self.manifest = {
            "host": "a", "lago": {"version": "v1.52.0", "database": "lago", "rsa_key": ""}, "valkey": {"keys": 3},
            "storage": {"bytes": 1}, "files": {"postgres/1.dump": {"bytes": 5}},
            "postgres": {"databases": {"lago": {"file": "1.dump", "tables": {"a": 2}, "indexes": 1}}},
        }  # fmt: skip
        beside = SimpleNamespace(
            clear=lambda: None, make=self.make, swap=self.swap, keep=lambda: ["lago_replaced"], report=lambda: None,
            since=lambda *_arguments: 7, replaced=lambda: ["lago"],
        )  # fmt: skip
        for name, value in {
            "Beside": lambda *_arguments: beside,
            "server_of": lambda _configuration: SimpleNamespace(described=lambda _name: {}),
            "differences": lambda *_arguments: self.note("compare") or [],
            "put_valkey": lambda *_arguments: self.note("valkey"),
            "put_files": lambda *_arguments: self.note("storage"),
            "keys_in": lambda *_arguments: 3,
            "Valkey": lambda _configuration: SimpleNamespace(count=lambda: 3),
            "refusals": lambda *_arguments: self.refused,
            "run": self.run,
        }.items():
            monkeypatch.setattr(restore, name, value)
        monkeypatch.setattr(restore.manifest, "differences", lambda *_arguments: self.problems)
        monkeypatch.setattr(restore.manifest, "read", lambda _directory: self.manifest)

    def note(self, name):
        if self.dies_at == name:
            raise KeyboardInterrupt
        self.done.append(name)

    def make(self):
        self.note("make")
        return []

    def swap(self, _backup):
        self.note("swap")
        self.database = "new"

    def run(self, command, **_options):
        verb, *words = command[1:]
        if verb in ("list-units", "list-unit-files"):
            known = self.running if verb == "list-units" else self.at_boot
            return SimpleNamespace(stdout="".join(f"{unit} and more\n" for unit in sorted({*known, FRONT})))
        units = set(words[words.index("--") + 1 :])
        assert FRONT not in units, "the front stays"
        if units == {"mash-lago-migrate.service"}:
            return self.done.append("migrate")
        if verb in ("disable", "enable"):
            self.at_boot = self.at_boot | units if verb == "enable" else self.at_boot - units
            return None
        assert verb == "start" or not self.at_boot, "no boot starts it in the middle"
        self.note(verb)
        self.running = self.running | units if verb == "start" else self.running - units
        return None

    def restore(self, backup="latest", **request):
        (self.path / restore.REQUEST).write_text(json.dumps({"backup": backup, **request}))
        (self.path / "work").mkdir(exist_ok=True)
        configuration = {
            "data_path": str(self.path), "lago": LAGO, "postgres": {"data_path": str(self.path)},
            "valkey": {"image": "x"}, "storage": str(self.path), "restore_path": str(self.record),
        }  # fmt: skip
        place = SimpleNamespace(
            find=lambda _name, _host: SNAPSHOT, manifest_of=lambda _snapshot: self.manifest,
            size=lambda _snapshot: 1, fetch=lambda *_arguments: self.note("fetch"),
        )  # fmt: skip
        restore.Restore(configuration, place).run()

    @property
    def record(self):
        return self.path / "records" / "mash-backup-restore.json"

    @property
    def left(self):
        return sorted(path.name for path in (self.path / "work").iterdir()) + [self.record.name] * self.record.exists()


@pytest.fixture
def world(monkeypatch, tmp_path):
    return World(monkeypatch, tmp_path)


def test_everything_in_its_order(world, capsys):
    world.restore()
    assert world.done == ["fetch", "make", "stop", "swap", "compare", "valkey", "storage", "migrate", "start"]
    assert world.left == []
    said = capsys.readouterr().out
    assert "7 events were accepted after this backup and are not in it" in said
    assert "kept as database lago_replaced" in said


def test_a_plan_changes_nothing(world, capsys):
    world.restore(plan=True)
    assert (world.done, world.left) == ([], [])
    assert "Will replace database lago" in capsys.readouterr().out


def test_jobs_of_a_queue_elsewhere_stay(world, capsys):
    world.manifest |= {"valkey": None, "queue_elsewhere": "redis.example.com"}
    world.restore(plan=True)
    assert "Queued jobs in redis.example.com stay as they are: they are not in the backup" in capsys.readouterr().out


def test_what_speaks_against_it_is_said_together(world):
    world.refused = ["One.", "Two."]
    with pytest.raises(Failure, match=r"Backup 12345678 .*nothing was changed:\n  1. One.\n  2. Two."):
        world.restore()
    assert (world.done, world.left) == ([], [])


@pytest.mark.parametrize("dies_at", ["fetch", "make"])
def test_cut_off_before_anything_is_replaced(world, dies_at):
    world.dies_at = dies_at
    with pytest.raises(KeyboardInterrupt):
        world.restore()
    assert world.database == "old"
    assert world.running
    assert world.left == []


def test_a_backup_that_is_not_whole_replaces_nothing(world):
    world.problems = ["postgres/1.dump is missing"]
    with pytest.raises(Failure, match=r"not whole, nothing was changed: postgres/1.dump is missing"):
        world.restore()
    assert (world.database, bool(world.running), world.left) == ("old", True, [])


@pytest.mark.parametrize("dies_at", STEPS)
def test_cut_off_later_it_is_completed_by_the_next_call(world, dies_at):
    world.dies_at = dies_at
    with pytest.raises(KeyboardInterrupt):
        world.restore()
    assert world.record.exists(), "a run of the playbook is to know of it"
    world.dies_at = None
    before = list(world.done)
    world.restore("latest")
    assert world.database == "new"
    assert world.running == {"mash-lago-api.service"}, "what was stopped before stays so"
    assert world.at_boot == {"mash-lago-api.service", "mash-lago-worker.service"}
    assert world.left == []
    repeated = set(before) & set(world.done[len(before) :])
    assert repeated <= {"stop", "migrate"}, "what is done is not done again"


def test_another_backup_has_to_wait(world):
    world.dies_at = "valkey"
    with pytest.raises(KeyboardInterrupt):
        world.restore()
    with pytest.raises(Failure, match="Complete it first: just restore 12345678"):
        world.restore("abcdefgh")
    world.dies_at = None
    world.restore("12345678")
    assert world.left == []


def test_parts_and_a_lago_that_stays_down(world):
    """As a rollback wants it, which has more to do before Lago starts."""
    world.restore(parts=["postgres"], start=False)
    assert world.done == ["fetch", "make", "stop", "swap", "compare"]
    assert not world.running


def kept(world):
    return {path.name for path in (world.path / "replaced").iterdir()}


def keeps_a_file(world):
    """Each restore finds a file that differs."""

    def put_files(_content, _directory, _configuration, directory):
        world.note("storage")
        os.makedirs(directory)

    return put_files


def test_files_that_earlier_restores_replaced_go_when_a_later_one_ended_well(world, monkeypatch):
    (world.path / "replaced" / "earlier").mkdir(parents=True)
    (world.path / "replaced" / "earlier" / "invoice").touch()
    monkeypatch.setattr(restore, "put_files", keeps_a_file(world))
    world.dies_at = "start"
    with pytest.raises(KeyboardInterrupt):
        world.restore()
    assert "earlier" in kept(world)
    world.dies_at = None
    world.restore()
    (name,) = kept(world)
    assert name.startswith("12345678-")


def test_a_restore_of_other_parts_leaves_them(world):
    (world.path / "replaced" / "earlier").mkdir(parents=True)
    world.restore(parts=["postgres"], start=False)
    assert kept(world) == {"earlier"}


def test_space(world, monkeypatch):
    monkeypatch.setattr(restore.shutil, "disk_usage", lambda _path: SimpleNamespace(free=3))
    with pytest.raises(Failure, match=r"3 B free and this restore needs .* Nothing was changed"):
        world.restore()
    assert (world.done, world.left) == ([], [])
