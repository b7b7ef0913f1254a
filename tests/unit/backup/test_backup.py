# SPDX-FileCopyrightText: 2026 The selfhosting.lago authors
# SPDX-License-Identifier: AGPL-3.0-or-later
import errno
import json
from types import SimpleNamespace

import backup
import postgres
import pytest
import shell
from shell import Failure

CONFIGURATION = {
    "data_path": "/data", "restore_path": "/none", "postgres": {"container": "a", "user": "b"}, "valkey": {},
    "storage": "",
}  # fmt: skip
DATABASE = {"tables": {"a": 1, "b": 2}, "indexes": 3, "extensions": {"x": "1.0"}, "schema_version": "5"}


@pytest.mark.parametrize(
    ("directory", "gigabytes", "enough"),
    [("/none", 2.1, False), ("/none", 2.6, True), (None, 1.1, False), (None, 1.3, True)],
)
def test_space_is_looked_at_before_anything_is_written(monkeypatch, directory, gigabytes, enough):
    """A first backup to a directory here is stored once more."""
    monkeypatch.setattr(backup, "server_of", lambda _configuration: SimpleNamespace(size=lambda: 10**9))
    monkeypatch.setattr(backup.shutil, "disk_usage", lambda _path: SimpleNamespace(free=gigabytes * 10**9))
    place = SimpleNamespace(directory=directory)
    if enough:
        backup.check_space(CONFIGURATION, place, "/")
    else:
        with pytest.raises(Failure, match=r"/data has .* free and a backup needs up to .* Nothing was written"):
            backup.check_space(CONFIGURATION, place, "/")


def test_a_backup_that_fails_leaves_nothing(monkeypatch, tmp_path):
    monkeypatch.setattr(backup, "check_space", lambda *_arguments: None)

    def collect(_configuration, staging):
        (tmp_path / "work" / "set" / "half").touch()
        raise Failure("the dump died")

    monkeypatch.setattr(backup, "collect", collect)
    place = SimpleNamespace(prepare=lambda: None, store=lambda *_arguments: pytest.fail("half a backup was stored"))
    with pytest.raises(Failure, match="the dump died"):
        backup.make({**CONFIGURATION, "data_path": str(tmp_path)}, place)
    assert not (tmp_path / "work" / "set").exists()


def test_what_is_half_in_place_is_not_backed_up(tmp_path):
    (tmp_path / "restore.json").touch()
    with pytest.raises(Failure, match=r"A restore was interrupted.* just restore latest"):
        backup.make({**CONFIGURATION, "restore_path": str(tmp_path / "restore.json")}, None)


@pytest.mark.parametrize(
    ("record", "expected"),
    [
        (None, ""),
        ({"state": "running", "backup": {}}, ""),
        ({"state": "done", "backup": {"snapshot": "a1"}}, "a1"),
        ({"state": "sending again", "backup": {"snapshot": "a1"}}, "a1"),
        ({"state": "rolled back", "backup": {"snapshot": "a1"}}, ""),
    ],
)
def test_the_backup_of_the_last_upgrade_is_needed(monkeypatch, tmp_path, record, expected):
    path = tmp_path / "upgrade.json"
    if record:
        path.write_text(json.dumps(record))
    for name in ("check_space", "collect"):
        monkeypatch.setattr(backup, name, lambda *_arguments: {})
    forgotten = []
    place = SimpleNamespace(
        prepare=lambda: None,
        store=lambda *_arguments: "b2",
        forget=lambda *arguments: forgotten.append(arguments),
        location="/r",
        directory=None,
    )
    backup.make({**CONFIGURATION, "data_path": str(tmp_path), "upgrade_path": str(path), "keep": {"daily": 7}}, place)
    assert forgotten == [({"daily": 7}, expected)]


def test_storage_is_linked(tmp_path):
    source, target = tmp_path / "data", tmp_path / "set"
    (source / "ab").mkdir(parents=True)
    (source / "ab" / "file").write_text("12345")
    assert backup.link_storage(str(source), str(target)) == {"files": 1, "bytes": 5}
    assert (target / "ab" / "file").samefile(source / "ab" / "file")


def test_storage_on_another_file_system_is_copied(tmp_path, monkeypatch, capsys):
    def link(_source, _target):
        raise OSError(errno.EXDEV, "Invalid cross-device link")

    monkeypatch.setattr(backup.os, "link", link)
    # A line after each file.
    monkeypatch.setattr(shell, "PATIENCE", 0)
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "file").write_text("12345")
    assert backup.link_storage(str(tmp_path / "data"), str(tmp_path / "set")) == {"files": 1, "bytes": 5}
    assert (tmp_path / "set" / "file").read_text() == "12345"
    assert capsys.readouterr().out.startswith("<7>Copying Lago's files: 5 B of about 5 B, ")


@pytest.mark.parametrize(
    ("environment", "text"),
    [
        ({}, ""),
        ({"LAGO_USE_AWS_S3": "True", "LAGO_AWS_S3_BUCKET": "b"}, ""),
        ({"LAGO_USE_AWS_S3": "true", "LAGO_AWS_S3_BUCKET": "b"}, "the S3 bucket b"),
        ({"LAGO_USE_GCS": "true", "LAGO_GCS_BUCKET": "b"}, "the bucket b of Google Cloud Storage"),
    ],
)
def test_storage_elsewhere_is_a_note(environment, text):
    assert backup.bucket_of(environment) == text


@pytest.mark.parametrize(
    ("environment", "text"),
    [
        ({}, ""),
        ({"REDIS_URL": "redis://mash-valkey:6379/0"}, ""),
        ({"REDIS_URL": "redis://mash-lago-valkey:6379/0"}, "mash-lago-valkey"),
        ({"REDIS_URL": "rediss://lago:secret%2F@redis.example.com:6380/0"}, "redis.example.com"),
        ({"REDIS_URL": "redis://[2001:db8::1]:6379/0"}, "[2001:db8::1]"),
        # Of what is no URL no part may be shown.
        ({"REDIS_URL": "redis://:secret/@redis.example.com"}, "another Redis"),
        ({"REDIS_URL": "redis://secret#1@redis.example.com"}, "another Redis"),
        (
            {"REDIS_URL": "redis://mash-valkey:6379/0", "LAGO_REDIS_SIDEKIQ_SENTINELS": "a:26379,b:26379"},
            "the Redis of the sentinels a:26379,b:26379",
        ),
    ],
)
def test_a_queue_elsewhere_is_a_note(environment, text):
    assert backup.queue_elsewhere({"valkey": {"container": "mash-valkey"}}, environment) == text
    assert backup.queue_elsewhere({"valkey": {}}, environment) == (text or "mash-valkey" * bool(environment))


def test_a_backup_says_that_the_queue_is_elsewhere(tmp_path, monkeypatch, capsys):
    (tmp_path / "env").write_text("REDIS_URL=redis://user:secret@redis.example.com:6379/0\n")
    monkeypatch.setattr(backup, "UNIT_DIRECTORY", str(tmp_path))
    configuration = {
        "host": "a", "unit_prefix": "mash-", "postgres": {}, "valkey": {}, "storage": "", "files": [],
        "lago": {"environment": str(tmp_path / "env")},
    }  # fmt: skip
    assert backup.collect(configuration, str(tmp_path))["queue_elsewhere"] == "redis.example.com"
    said = capsys.readouterr().out
    assert "Queued jobs are in redis.example.com, which is not part of this backup" in said
    assert "secret" not in said


def test_the_same_database_does_not_differ():
    assert postgres.differences("lago", DATABASE, DATABASE) == []


@pytest.mark.parametrize(
    ("found", "text"),
    [
        ({"tables": {"a": 1, "b": 3}}, "lago, table b: 2 rows when it was dumped, 3 rows restored"),
        ({"tables": {"a": 1}}, "lago, table b: 2 rows when it was dumped, no such table restored"),
        ({"indexes": 2}, "lago, indexes: 3 when it was dumped, 2 restored"),
        ({"extensions": {}}, "lago, extensions: {'x': '1.0'} when it was dumped, {} restored"),
        ({"schema_version": "4"}, "lago, schema_version: 5 when it was dumped, 4 restored"),
    ],
)
def test_what_differs_is_named(found, text):
    assert postgres.differences("lago", DATABASE, {**DATABASE, **found}) == [text]


def test_names_are_quoted():
    assert postgres.identifier('a"b') == '"a""b"'
    assert postgres.literal("a'b") == "'a''b'"
