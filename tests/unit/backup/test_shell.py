# SPDX-FileCopyrightText: 2026 The selfhosting.lago authors
# SPDX-License-Identifier: AGPL-3.0-or-later
import os
import re

import pytest
import shell
from shell import Failure, Progress, feed, lasting, run, sized, stream


def test_a_command_that_fails_says_what_it_said():
    with pytest.raises(Failure, match=r"sh -c .* ended with 3: too bad"):
        run(["sh", "-c", "echo too bad >&2; exit 3"])
    assert run(["false"], check=False).returncode == 1


def test_an_environment_is_added_and_not_shown():
    with pytest.raises(Failure) as failure:
        run(["sh", "-c", 'test -n "$SECRET" && exit 1'], environment={"SECRET": "hidden"})
    assert "hidden" not in str(failure.value)


def test_output_becomes_a_file(tmp_path):
    progress = Progress("x")
    stream(["sh", "-c", "printf 12345"], tmp_path / "file", progress)
    assert (tmp_path / "file").read_text() == "12345"
    assert progress.done == 5


def test_a_dump_that_dies_is_no_dump(tmp_path):
    with pytest.raises(Failure, match="ended with -9"):
        stream(["sh", "-c", "echo half; kill -9 $$"], tmp_path / "file", Progress("x"))


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no /dev/full")
def test_a_full_disk_is_noticed():
    with pytest.raises(Failure, match="/dev/full cannot be written: No space left on device"):
        stream(["head", "--bytes=5000000", "/dev/zero"], "/dev/full", Progress("x"))


def test_a_file_becomes_input(tmp_path):
    (tmp_path / "file").write_bytes(b"x" * 3_000_000)
    progress = Progress("x")
    feed(["sh", "-c", 'test "$(cat | wc -c)" = 3000000'], tmp_path / "file", progress)
    assert progress.done == 3_000_000
    with pytest.raises(Failure, match="it broke"):
        feed(["sh", "-c", "echo it broke >&2; exit 1"], tmp_path / "file", Progress("x"))


def test_progress(capsys):
    now = iter([0, 1, 10, 10, 10])
    progress = Progress("Dumping", 4_000_000, clock=lambda: next(now))
    progress.add(500_000)
    assert capsys.readouterr().out == ""
    progress.add(500_000)
    assert capsys.readouterr().out == "<7>Dumping: 1.0 MB of about 4.0 MB, 0:10 so far, about 0:30 to go\n"


def test_progress_of_something_else(capsys):
    now = iter([0, 20, 20, 20])
    Progress("Counting rows", 40, clock=lambda: next(now), shown="{} tables".format).add(10)
    assert capsys.readouterr().out == "<7>Counting rows: 10 tables of about 40 tables, 0:20 so far, about 1:00 to go\n"


@pytest.mark.parametrize(("count", "text"), [(0, "0 B"), (999, "999 B"), (1500, "1.5 kB"), (5.2e12, "5200.0 GB")])
def test_sized(count, text):
    assert sized(count) == text


@pytest.mark.parametrize(("seconds", "text"), [(5.9, "0:05"), (125, "2:05"), (3725, "1:02:05")])
def test_lasting(seconds, text):
    assert lasting(seconds) == text


def test_a_command_that_takes_too_long_is_a_failure():
    with pytest.raises(Failure, match=r"sleep 30 did not end within 0\.1 s"):
        run(["sleep", "30"], timeout=0.1)


def test_a_command_that_cannot_tell_how_far_it_is(monkeypatch, capsys):
    monkeypatch.setattr(shell, "PATIENCE", 0.1)
    assert run(["sh", "-c", "sleep 0.25; cat"], stdin="given once", what="Migrating").stdout == "given once"
    lines = capsys.readouterr().out.splitlines()
    assert lines
    assert all(re.fullmatch(r"<7>Migrating: 0:0\d so far", line) for line in lines)
    assert run(["sh", "-c", "sleep 0.25"]).returncode == 0
    assert capsys.readouterr().out == ""
    with pytest.raises(Failure, match=r"sleep 30 did not end within 0\.3 s"):
        run(["sleep", "30"], timeout=0.3, what="Waiting")
