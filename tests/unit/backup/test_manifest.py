# SPDX-FileCopyrightText: 2026 The selfhosting.lago authors
# SPDX-License-Identifier: AGPL-3.0-or-later
import json

import manifest
import pytest

KEYS = {"SECRET_KEY_BASE": "a", "ENCRYPTION_PRIMARY_KEY": "b", "LAGO_LICENSE": "c"}


@pytest.fixture
def backup(tmp_path):
    (tmp_path / "postgres").mkdir()
    (tmp_path / "postgres" / "1.dump").write_bytes(b"dump" * 1000)
    (tmp_path / "storage").mkdir()
    (tmp_path / "storage" / "a file").write_text("x")
    manifest.write(tmp_path, {"files": manifest.checksums(tmp_path)})
    return tmp_path


def test_what_is_unchanged_does_not_differ(backup):
    read = manifest.read(backup)
    assert read["files"].keys() == {"postgres/1.dump", "storage/a file"}
    assert manifest.differences(read, backup) == []


@pytest.mark.parametrize(
    ("damage", "text"),
    [
        (lambda path: path.write_bytes(path.read_bytes()[:-1]), "postgres/1.dump is not what was stored"),
        (lambda path: path.write_bytes(b"e" + path.read_bytes()[1:]), "postgres/1.dump is not what was stored"),
        (lambda path: path.unlink(), "postgres/1.dump is missing"),
        (lambda path: path.with_name("2.dump").touch(), "postgres/2.dump is not in the manifest"),
    ],
)
def test_what_is_damaged_is_named(backup, damage, text):
    damage(backup / "postgres" / "1.dump")
    assert manifest.differences(manifest.read(backup), backup) == [text]


def test_fingerprints_tell_keys_apart_and_do_not_hold_them():
    found = manifest.fingerprints(KEYS)
    assert found.keys() == {"SECRET_KEY_BASE", "ENCRYPTION_PRIMARY_KEY"}
    assert found != manifest.fingerprints({**KEYS, "ENCRYPTION_PRIMARY_KEY": "B"})
    assert found == manifest.fingerprints({**KEYS, "LAGO_LICENSE": "other"})
    assert all(len(one) == 16 for one in found.values())


def test_environment_files_are_read_as_docker_reads_them(tmp_path):
    path = tmp_path / "env"
    path.write_text("# comment\nA=1=2\nB='quoted'\nC\n")
    assert manifest.environment_of(path) == {"A": "1=2", "B": "'quoted'"}
    assert manifest.environment_of(tmp_path / "none") == {}


def test_it_is_plain_json(backup):
    assert json.loads((backup / "manifest.json").read_text())["format"] == 1
