# SPDX-FileCopyrightText: 2026 The selfhosting.lago authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""A backup is fetched into an empty directory, and looked at."""

import importlib.util
from pathlib import Path
from types import SimpleNamespace

import manifest
import pytest
import shell
from shell import Failure

SNAPSHOT = {"id": "12345678aa", "short_id": "12345678", "time": "2026-01-02T03:04:05.123456789Z"}


def fetch(directory, change=lambda _directory: None):
    def stored(_snapshot, target):
        (directory / "file").write_text("content")
        manifest.write(target, {"files": manifest.checksums(target)})
        change(directory)

    specification = importlib.util.spec_from_file_location(
        "backup_program", Path(shell.__file__).with_name("__main__.py")
    )
    program = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(program)
    repository = SimpleNamespace(find=lambda _name: SNAPSHOT, fetch=stored)
    program.fetch({}, repository, SimpleNamespace(name="latest", directory=str(directory)))


def test_it_says_where_it_is(tmp_path, capsys):
    fetch(tmp_path / "new")
    assert f"Backup 12345678 of 2026-01-02T03:04:05 is in {tmp_path}/new" in capsys.readouterr().out


def test_one_that_is_not_whole_is_an_error(tmp_path):
    with pytest.raises(Failure, match="is not whole: file is not what was stored"):
        fetch(tmp_path / "new", lambda directory: (directory / "file").write_text("CONTENT"))


def test_nothing_is_mixed_with_what_is_there(tmp_path):
    (tmp_path / "mine").touch()
    with pytest.raises(Failure, match="is not empty"):
        fetch(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]
