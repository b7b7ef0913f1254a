# SPDX-FileCopyrightText: 2026 The selfhosting.lago authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""The order in which units stop and start, and the wait for it; most of it through the module."""

import itertools
import subprocess

from ansible_collections.selfhosting.lago.plugins.module_utils import starting
from unit.engine.invented import API, CLOCK, DOWN, STALE, UP, WORKER


def test_a_unit_that_does_not_get_ready_shows_its_journal(units):
    answer, _asked = units("converge", {"a": DOWN}, after="failed")
    assert answer["failed"]
    assert answer["msg"] == "a did not get ready (failed/x, result y). Its journal ends:\n  last words"


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

    monkeypatch.setattr(starting, "run", run)
    monkeypatch.setattr(starting, "show_units", show)
    monkeypatch.setattr(starting.time, "sleep", lambda _seconds: None)
    starting.start(None, [], ["api", "clock", "worker"], {"clock": CLOCK, "worker": WORKER})
    assert happened[3:7] == [
        "systemctl restart --no-block -- api",
        "api begins",
        "systemctl start --no-block -- worker",
        "systemctl start --no-block -- clock",
    ]


def test_a_long_stop_is_not_waited_for(units, monkeypatch):
    now = itertools.count(0, 4)
    monkeypatch.setattr(starting.time, "monotonic", lambda: next(now))
    monkeypatch.setattr(starting.time, "sleep", lambda _seconds: None)
    monkeypatch.setattr(starting, "run", lambda *_a, **_k: None)
    looks = []
    monkeypatch.setattr(starting, "show_units", lambda names: looks.append(names) or {"api": {"InvocationID": "old"}})
    starting.begin("restart", ["api"])
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
