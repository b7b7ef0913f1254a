# SPDX-FileCopyrightText: 2026 The selfhosting.lago authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Files are put in place one by one, and nothing of what was there before is lost."""

import os

import manifest
import placing
import pytest

IDS = f"{os.getuid()}:{os.getgid()}"


@pytest.fixture
def directories(tmp_path):
    stored, storage = tmp_path / "set", tmp_path / "data"
    (stored / "storage" / "ab" / "cd").mkdir(parents=True)
    (stored / "storage" / "ab" / "cd" / "lost").write_text("invoice")
    (stored / "storage" / "ab" / "changed").write_text("as it was")
    (stored / "storage" / "same").write_text("same")
    (storage / "ab").mkdir(parents=True)
    (storage / "ab" / "changed").write_text("otherwise")
    (storage / "same").write_text("same")
    (storage / "newer").write_text("newer")
    return stored, storage, tmp_path / "kept"


def put(directories):
    stored, storage, kept = directories
    content = {"files": manifest.checksums(stored)}
    placing.put_files(content, str(stored), {"storage": str(storage), "lago": {"ids": IDS}}, str(kept))


def test_what_is_missing_or_differs_is_put_back(directories, capsys):
    _stored, storage, kept = directories
    untouched = (storage / "same").stat().st_ino
    put(directories)
    assert (storage / "ab" / "cd" / "lost").read_text() == "invoice"
    assert (storage / "ab" / "changed").read_text() == "as it was"
    assert (storage / "newer").read_text() == "newer", "an invoice would be lost"
    assert (storage / "same").stat().st_ino == untouched
    assert (kept / "ab" / "changed").read_text() == "otherwise"
    assert "3 in the backup, 2 of them put back" in capsys.readouterr().out
    put(directories)
    assert "0 of them put back" in capsys.readouterr().out
    assert (kept / "ab" / "changed").read_text() == "otherwise"


@pytest.fixture
def valkey(tmp_path, monkeypatch):
    asked = []
    monkeypatch.setattr(placing, "run", asked.append)
    data = tmp_path / "valkey"
    (data / "appendonlydir").mkdir(parents=True)
    (data / "appendonlydir" / "appendonly.aof.manifest").write_text("old")
    (data / "dump.rdb").write_text("old")
    (tmp_path / "set" / "valkey").mkdir(parents=True)
    (tmp_path / "set" / "valkey" / "dump.rdb").write_text("restored")
    configuration = {"container": "mash-valkey", "data_path": str(data), "ids": IDS}

    def put(key):
        placing.put_valkey(configuration, str(tmp_path / "set"), key)

    return data, put, asked


def shown(data):
    return sorted(path.name for path in data.iterdir() if not path.name.startswith("."))


def test_valkey_finds_the_snapshot_and_nothing_else(valkey):
    """Where there is an append only file, it would not read the snapshot."""
    data, put, asked = valkey
    put("a")
    assert shown(data) == ["dump.rdb"]
    assert (data / "dump.rdb").read_text() == "restored"
    assert (data / ".replaced-a" / "dump.rdb").read_text() == "old"
    assert (data / ".replaced-a" / "appendonlydir" / "appendonly.aof.manifest").read_text() == "old"
    assert [command[1] for command in asked] == ["stop", "start"]


@pytest.mark.parametrize("cut_off", ["replace", "copyfile"])
def test_one_that_was_cut_off_is_completed(valkey, monkeypatch, cut_off):
    data, put, _asked = valkey
    module = placing.os if cut_off == "replace" else placing.shutil
    real, calls = getattr(module, cut_off), []

    def die(*arguments):
        calls.append(arguments)
        # The first file is moved, the second is not.
        if cut_off == "copyfile" or len(calls) == 2:
            raise KeyboardInterrupt
        return real(*arguments)

    with monkeypatch.context() as patch:
        patch.setattr(module, cut_off, die)
        with pytest.raises(KeyboardInterrupt):
            put("a")
    put("a")
    assert shown(data) == ["dump.rdb"]
    assert (data / "dump.rdb").read_text() == "restored"
    assert (data / ".replaced-a" / "dump.rdb").read_text() == "old"


def test_only_what_the_last_restore_replaced_is_kept(valkey):
    data, put, _asked = valkey
    put("a")
    (data / "dump.rdb").write_text("newer")
    put("b")
    assert [path.name for path in data.glob(".replaced-*")] == [".replaced-b"]
    assert (data / ".replaced-b" / "dump.rdb").read_text() == "newer"


@pytest.fixture
def keys(tmp_path):
    """Of a server that makes its own, and of a backup of another one."""
    stored = tmp_path / "set" / "server" / "mash" / "lago" / "keys" / "private.pem"
    stored.parent.mkdir(parents=True)
    stored.write_text("theirs")
    stored.chmod(0o400)
    here = tmp_path / "keys" / "private.pem"
    here.parent.mkdir()
    here.write_text("made here")
    content = {"lago": {"rsa_key": "/mash/lago/keys/private.pem"}, "files": manifest.checksums(tmp_path / "set")}
    return content, {"lago": {"rsa_key": str(here), "ids": IDS}}


def test_a_key_that_the_server_made_comes_back(keys, tmp_path, capsys):
    content, configuration = keys
    for _ in range(2):
        placing.put_key(content, str(tmp_path / "set"), configuration, str(tmp_path / "kept"))
    here = tmp_path / "keys" / "private.pem"
    assert (here.read_text(), here.stat().st_mode & 0o777) == ("theirs", 0o400)
    assert (tmp_path / "kept" / "private.pem").read_text() == "made here"
    assert capsys.readouterr().out.count("is that of the backup again") == 1


@pytest.mark.parametrize("whose", ["here", "there", "nobody's"])
def test_a_key_of_vars_yml_stays(keys, tmp_path, whose):
    content, configuration = keys
    if whose == "here":
        configuration["lago"]["rsa_key"] = ""
    elif whose == "there":
        content["lago"]["rsa_key"] = ""
    else:
        content["lago"] = None
    assert placing.another_key(content, configuration) is None
    placing.put_key(content, str(tmp_path / "set"), configuration, str(tmp_path / "kept"))
    assert (tmp_path / "keys" / "private.pem").read_text() == "made here"
