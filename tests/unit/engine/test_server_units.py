# SPDX-FileCopyrightText: 2026 The selfhosting.lago authors
# SPDX-License-Identifier: AGPL-3.0-or-later
import itertools
import json
import subprocess
from types import SimpleNamespace

import pytest
from ansible_collections.selfhosting.lago.plugins.module_utils import engine
from ansible_collections.selfhosting.lago.plugins.modules import server_units

UP = {"active": True, "enabled": True, "loaded": True, "stale": [], "state": "active/running", "needs_reload": False}
DOWN = {**UP, "active": False, "state": "failed/failed"}
STALE = {**UP, "stale": ["/mash/env changed"]}
OFF = {**UP, "enabled": False}
GONE = {**DOWN, "loaded": False, "enabled": False, "state": "inactive/dead"}


@pytest.fixture
def units(monkeypatch, commands, run_module):
    """Runs the module for units in invented states; returns its answer and the commands."""

    def run(operation, states, answers=None, after="active", check_mode=False, run=None, shown=None, **arguments):
        asked = commands(server_units, answers)
        if run:
            monkeypatch.setattr(server_units, "run", run)
        docker = SimpleNamespace(image_ids=lambda: {"a:1": "sha256:1"})
        monkeypatch.setattr(server_units, "Docker", lambda: docker)
        monkeypatch.setattr(server_units, "unit_states", lambda _units, _docker: states)
        monkeypatch.setattr(server_units, "journal", lambda *_a, **_k: ["last words"])
        properties = {"ActiveState": after, "SubState": "x", "Result": "y", **(shown or {})}
        # Each look sees another start.
        looks = itertools.count()
        monkeypatch.setattr(
            server_units,
            "show_units",
            lambda names: {name: {**properties, "InvocationID": f"i{next(looks)}"} for name in names},
        )
        wanted = dict.fromkeys(states, "a:1")
        return run_module(server_units, check_mode, operation=operation, units=wanted, **arguments), asked

    return run


def test_wanted_changes():
    changes = server_units.wanted_changes({"up": UP, "down": DOWN, "stale": STALE, "off": OFF})
    assert changes == {
        "down": {"action": "start", "reasons": ["it is failed/failed"]},
        "stale": {"action": "restart", "reasons": ["/mash/env changed"]},
    }
    assert server_units.split(changes) == (["down"], ["stale"])


def test_converge_has_nothing_to_do(units):
    answer, asked = units("converge", {"a": UP})
    assert (answer["changed"], answer["units"], asked) == (False, {}, [])


def test_converge(units):
    answer, asked = units("converge", {"a": STALE, "b": DOWN, "c": OFF, "d": UP})
    assert {name: change["action"] for name, change in answer["units"].items()} == {
        "a": "restart",
        "b": "start",
        "c": "enable",
    }
    assert asked == [
        "systemctl enable --quiet -- c",
        "systemctl reset-failed -- a b",
        "systemctl restart --no-block -- a",
        "systemctl start -- a b",
    ]


def test_check_mode_announces_the_same(units):
    states = {"a": STALE, "b": DOWN, "c": OFF, "d": UP}
    announced, asked = units("converge", states, check_mode=True)
    assert asked == []
    assert announced["units"] == units("converge", states)[0]["units"]


def test_units_that_systemd_has_not_read_yet(units):
    assert "systemctl daemon-reload" in units("converge", {"a": {**DOWN, "needs_reload": True}})[1]


def test_a_unit_that_does_not_get_ready_shows_its_journal(units):
    answer, _asked = units("converge", {"a": DOWN}, after="failed")
    assert answer["failed"]
    assert answer["msg"] == "a did not get ready (failed/x, result y). Its journal ends:\n  last words"


def test_restart_and_stop(units):
    answer, asked = units("restart", {"a": UP, "b": DOWN})
    assert answer["units"].keys() == {"a", "b"}
    assert "systemctl restart --no-block -- a b" in asked
    answer, _asked = units("stop", {"a": UP, "b": DOWN, "c": {**DOWN, "state": "activating/start-post"}})
    assert answer["units"].keys() == {"a", "c"}
    assert units("stop", {"b": DOWN})[0]["changed"] is False


CLOCK, WORKER, API = {"stop_rank": 2}, {"stop_rank": 1}, {"pool": "api"}


def test_what_takes_work_is_stopped_first_and_started_last(units):
    order = {"clock": CLOCK, "worker-1": WORKER, "worker-2": WORKER}
    states = dict.fromkeys(["api", "clock", "worker-1", "worker-2"], STALE)
    assert units("converge", states, order=order)[1] == [
        "systemctl reset-failed -- api clock worker-1 worker-2",
        "systemctl stop -- clock",
        "systemctl stop -- worker-1 worker-2",
        "systemctl restart --no-block -- api",
        "systemctl start --no-block -- worker-1 worker-2",
        "systemctl start --no-block -- clock",
        "systemctl start -- api clock worker-1 worker-2",
    ]


def test_what_is_started_next_comes_after_what_has_begun(units, monkeypatch):
    """The API takes a while to stop: its workers begin to start after it, and the clock after them."""
    happened, looks = [], []

    def run(command, **_kwargs):
        happened.append(" ".join(command))
        return subprocess.CompletedProcess(command, 0, "", "")

    def show(names):
        looks.append(names)
        stopping = looks.count(["api"]) <= 3 and "api" in names
        if names == ["api"] and not stopping:
            happened.append("api begins")
        invocation = "old" if stopping else f"i{len(looks)}"
        return {name: {"ActiveState": "active", "InvocationID": invocation} for name in names}

    monkeypatch.setattr(server_units, "run", run)
    monkeypatch.setattr(server_units, "show_units", show)
    monkeypatch.setattr(server_units.time, "sleep", lambda _seconds: None)
    server_units.start(None, [], ["api", "clock", "worker"], {"clock": CLOCK, "worker": WORKER})
    assert happened[3:7] == [
        "systemctl restart --no-block -- api",
        "api begins",
        "systemctl start --no-block -- worker",
        "systemctl start --no-block -- clock",
    ]


def test_a_long_stop_is_not_waited_for(units, monkeypatch):
    now = itertools.count(0, 4)
    monkeypatch.setattr(server_units.time, "monotonic", lambda: next(now))
    monkeypatch.setattr(server_units.time, "sleep", lambda _seconds: None)
    monkeypatch.setattr(server_units, "run", lambda *_a, **_k: None)
    looks = []
    monkeypatch.setattr(
        server_units, "show_units", lambda names: looks.append(names) or {"api": {"InvocationID": "old"}}
    )
    server_units.begin("restart", ["api"])
    assert 2 <= len(looks) <= 4


def test_what_is_down_is_not_stopped(units):
    _answer, asked = units("converge", {"clock": DOWN, "api": UP}, order={"clock": CLOCK})
    assert asked == [
        "systemctl reset-failed -- clock",
        "systemctl start --no-block -- clock",
        "systemctl start -- clock",
    ]


def test_replicas_are_restarted_one_after_the_other(units):
    order = {"api": API, "api-2": API, "clock": CLOCK}
    states = {"api": STALE, "api-2": STALE, "clock": STALE, "front": STALE}
    assert units("converge", states, order=order)[1] == [
        "systemctl reset-failed -- api api-2 clock front",
        "systemctl stop -- clock",
        "systemctl restart --no-block -- api front",
        "systemctl start -- api front",
        "systemctl restart --no-block -- api-2",
        "systemctl start -- api-2",
        "systemctl start --no-block -- clock",
        "systemctl start -- api clock front",
    ]
    # The one that runs and is right serves while the other one starts.
    assert "systemctl restart --no-block -- api-2" in units("converge", {"api": UP, "api-2": STALE}, order=order)[1]


def test_a_replica_that_does_not_get_ready_leaves_the_other_one_alone(units):
    answer, asked = units("restart", {"api": UP, "api-2": UP}, after="failed", order={"api": API, "api-2": API})
    assert answer["failed"]
    assert not [line for line in asked if "api-2" in line and "restart" in line]
    # And no work is left lying.
    order = {"api": API, "api-2": API, "worker": WORKER}
    _answer, asked = units("restart", {"api": UP, "api-2": UP, "worker": UP}, after="failed", order=order)
    assert asked[-1] == "systemctl start --no-block -- worker"


@pytest.mark.parametrize("operation", ["converge", "restart"])
def test_workers_that_stop_for_what_they_need_are_told(units, monkeypatch, operation):
    """The unit of the database stops and starts them; the run only waits and says so."""
    written = {"db": {"users_first": True}, "worker": {"quiet": "TSTP"}, "api": {}}
    monkeypatch.setattr(server_units, "managed_unit", lambda name: written.get(name, {}))
    answer, asked = units(operation, {"db": STALE}, shown={"WantedBy": "docker.service api worker"})
    assert answer["units"]["worker"] == {"action": "restart", "reasons": ["db restarts"]}
    assert answer["units"].keys() == {"db", "worker"}
    assert asked[-2:] == ["systemctl start -- db", "systemctl start -- worker"]
    announced, _asked = units(operation, {"db": STALE}, shown={"WantedBy": "worker"}, check_mode=True)
    assert announced["units"] == answer["units"]
    assert units(operation, {"worker": STALE}, shown={"WantedBy": ""})[0]["units"].keys() == {"worker"}


def test_a_worker_that_still_has_the_password_of_before_is_no_failure(units, monkeypatch):
    """It starts when its own product's turn has come."""
    written = {"db": {"users_first": True}, "worker": {"quiet": "TSTP"}}
    monkeypatch.setattr(server_units, "managed_unit", lambda name: written.get(name, {}))
    monkeypatch.setattr(server_units, "failures", lambda _names: [])
    monkeypatch.setattr(server_units, "is_active", lambda _name: True)
    answer, _asked = units("converge", {"db": STALE}, shown={"WantedBy": "worker"}, after="activating")
    assert answer["units"].keys() == {"db", "worker"}
    (said,) = answer["warnings"]
    assert said.startswith("worker did not start again")


def test_the_order_of_a_stop(units):
    _answer, asked = units("stop", {"api": UP, "clock": UP, "w": UP}, order={"clock": CLOCK, "w": WORKER})
    assert asked == ["systemctl stop -- clock", "systemctl stop -- w", "systemctl stop -- api"]


LEFTOVERS = {"pdfs.service": ["count", "pdfs"]}


def test_work_that_is_left(units):
    answers = {"docker exec pdfs count pdfs": (0, "2 in pdfs\n")}
    answer, asked = units("waiting", {}, answers, leftovers=LEFTOVERS, patience=0)
    assert answer["waiting"] == {"pdfs.service": "2 in pdfs"}
    assert asked == ["docker exec pdfs count pdfs"]
    assert units("waiting", {}, {}, leftovers=LEFTOVERS, patience=60)[0]["waiting"] == {}


def test_a_worker_that_is_down_is_started_for_its_work(units):
    answers = {"docker exec": (1, "")}
    answer, asked = units("waiting", {}, answers, after="failed", leftovers=LEFTOVERS, patience=0)
    assert answer["waiting"] == {"pdfs.service": "it cannot be asked what waits for it: status 1"}
    assert asked == ["docker exec pdfs count pdfs", "systemctl start -- pdfs.service", "docker exec pdfs count pdfs"]


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
    with server_units.borrowed(path=str(own), file=str(other), names=["DATABASE_URL", "GONE"]):
        assert own.read_text() == "A=1\nDATABASE_URL=old\nAB=1\n"
        assert own.stat().st_mode & 0o777 == 0o640
    assert own.read_text() == "A=1\nDATABASE_URL=new\nAB=1\n"
    assert own.stat().st_mode & 0o777 == 0o640
    assert len(list(tmp_path.iterdir())) == 2


def test_the_module_uses_the_engine():
    assert server_units.unit_states is engine.unit_states
