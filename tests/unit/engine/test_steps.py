# SPDX-FileCopyrightText: 2026 The selfhosting.lago authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""One-shot units, through the module."""

import json
import subprocess
from types import SimpleNamespace

import pytest
from ansible_collections.selfhosting.lago.plugins.module_utils import steps
from unit.engine.invented import CLOCK, DOWN, STALE, UP, WORKER


@pytest.fixture
def record(tmp_path):
    path = tmp_path / "records" / "a.json"
    content = {"path": str(path), "content": {"image": "a:1", "inputs": "x"}, "image": "a:1", "data_path": ""}
    return [{"unit": "a.service", "record": content, "borrow": {}}], path


def test_a_step_is_recorded_with_the_id_of_its_image(units, record):
    arguments, path = record
    answer, asked = units("step", {"a.service": DOWN}, steps=arguments)
    assert answer["units"] == {"a.service": {"action": "run", "reasons": []}}
    assert asked[-1] == "systemctl start -- a.service"
    assert json.loads(path.read_text()) == {"image": "a:1", "inputs": "x", "image_id": "sha256:1", "database": ""}
    assert [entry.name for entry in path.parent.iterdir()] == ["a.json"]


def test_a_step_that_fails_is_not_recorded(units, record):
    arguments, path = record
    answer, _asked = units("step", {"a.service": DOWN}, {"systemctl start": (1, "")}, steps=arguments)
    assert answer["failed"]
    assert answer["msg"].startswith("a.service failed; nothing after it was changed.")
    assert "  last words" in answer["msg"]
    assert not path.exists()


def test_a_step_that_takes_long_is_waited_for_again(units, record, monkeypatch):
    arguments, path = record
    calls = []

    def run(command, check=True, timeout=None, stdin=None):
        calls.append(command)
        if command[1] == "start" and len(calls) < 4:
            raise subprocess.TimeoutExpired(command, timeout)
        return SimpleNamespace(returncode=0, stdout="", stderr="")

    answer, _asked = units("step", {"a.service": DOWN}, {}, "activating", False, run, steps=arguments, patience=1)
    assert (answer["units"], answer["said"], path.exists()) == ({}, ["last words"], False)
    begun = answer["begun"]
    answer, _asked = units(
        "step", {"a.service": DOWN}, {}, "activating", False, run, steps=arguments, patience=1, begun=begun
    )
    assert answer["begun"] == begun
    # By now it has ended.
    number = len(calls)
    answer, _asked = units(
        "step",
        {"a.service": DOWN},
        {},
        "inactive",
        False,
        run,
        {"Result": "success"},
        steps=arguments,
        patience=1,
        begun=begun,
    )
    assert (answer["begun"], len(calls)) == ({}, number), "it is not started a second time"
    assert json.loads(path.read_text())["image_id"] == "sha256:1"
    answer, _asked = units("step", {"a.service": DOWN}, {}, "failed", False, run, steps=arguments, begun=begun)
    assert answer["failed"]


def test_a_step_in_check_mode(units, record):
    arguments, path = record
    answer, asked = units("step", {"a.service": DOWN}, check_mode=True, steps=arguments)
    assert (answer["changed"], asked, path.exists()) == (True, [], False)


def test_a_step_of_the_swap_runs_right_before_the_restarts(units, record):
    (step,), _path = record
    order = {"clock": CLOCK, "worker": WORKER}
    states = dict.fromkeys(["api", "clock", "worker"], STALE)
    answer, asked = units("converge", states, order=order, steps=[step])
    assert asked == [
        "systemctl reset-failed -- api clock worker",
        "systemctl stop -- clock",
        "systemctl stop -- worker",
        "systemctl reset-failed -- a.service",
        "systemctl start -- a.service",
        "systemctl restart --no-block -- api",
        "systemctl start --no-block -- worker",
        "systemctl start --no-block -- clock",
        "systemctl start -- api clock worker",
    ]
    assert answer["units"]["a.service"] == {"action": "run", "reasons": []}


def test_a_step_of_the_swap_that_fails_leaves_everything_running(units, record):
    (step,), path = record
    states = {"api": STALE, "clock": STALE}
    failed = {"systemctl start -- a.service": (1, "")}
    answer, asked = units("converge", states, failed, order={"clock": CLOCK}, steps=[step])
    assert answer["failed"]
    assert asked[-1] == "systemctl start --no-block -- clock"
    assert not [line for line in asked if "restart" in line]
    assert not path.exists()


def test_a_step_of_the_swap_runs_also_where_nothing_restarts(units, record):
    (step,), path = record
    assert units("converge", {"api": UP}, steps=[step])[0]["units"].keys() == {"a.service"}
    assert path.exists()


def test_lines_that_a_step_borrows(tmp_path):
    own, other = tmp_path / "own", tmp_path / "other"
    own.write_text("A=1\nDATABASE_URL=new\nAB=1\n")
    own.chmod(0o640)
    other.write_text("A=2\nDATABASE_URL=old\n")
    with steps.borrowed(path=str(own), file=str(other), names=["DATABASE_URL", "GONE"]):
        assert own.read_text() == "A=1\nDATABASE_URL=old\nAB=1\n"
        assert own.stat().st_mode & 0o777 == 0o640
    assert own.read_text() == "A=1\nDATABASE_URL=new\nAB=1\n"
    assert own.stat().st_mode & 0o777 == 0o640
    assert len(list(tmp_path.iterdir())) == 2
