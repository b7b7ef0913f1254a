# SPDX-FileCopyrightText: 2026 The selfhosting.lago authors
# SPDX-License-Identifier: AGPL-3.0-or-later
import pytest
from ansible_collections.selfhosting.lago.plugins.module_utils import engine, starting
from ansible_collections.selfhosting.lago.plugins.modules import server_units
from unit.engine.invented import CLOCK, DOWN, OFF, OVERTAKEN, STALE, UP, WORKER


def test_wanted_changes():
    states = {"up": UP, "down": DOWN, "overtaken": OVERTAKEN, "stale": STALE, "off": OFF}
    changes = server_units.wanted_changes(states)
    assert changes == {
        "down": {"action": "start", "reasons": ["it is failed/failed"]},
        "overtaken": {"action": "start", "reasons": ["it is activating/start-post"]},
        "stale": {"action": "restart", "reasons": ["/mash/env changed"]},
    }
    assert server_units.split(changes, states) == (["down"], ["overtaken", "stale"])


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


def test_a_start_with_what_was_there_before_is_not_joined(units):
    """It would end as the one before it, or bring up the old values."""
    asked = units("converge", {"a": OVERTAKEN, "b": {**OVERTAKEN, "overtaken": False}})[1]
    assert asked[1:] == ["systemctl restart --no-block -- a", "systemctl start -- a b"]


def test_check_mode_announces_the_same(units):
    states = {"a": STALE, "b": DOWN, "c": OFF, "d": UP}
    announced, asked = units("converge", states, check_mode=True)
    assert asked == []
    assert announced["units"] == units("converge", states)[0]["units"]


def test_units_that_systemd_has_not_read_yet(units):
    assert "systemctl daemon-reload" in units("converge", {"a": {**DOWN, "needs_reload": True}})[1]


def test_restart_and_stop(units):
    answer, asked = units("restart", {"a": UP, "b": DOWN})
    assert answer["units"].keys() == {"a", "b"}
    assert "systemctl restart --no-block -- a b" in asked
    answer, _asked = units("stop", {"a": UP, "b": DOWN, "c": {**DOWN, "state": "activating/start-post"}})
    assert answer["units"].keys() == {"a", "c"}
    assert units("stop", {"b": DOWN})[0]["changed"] is False


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
    monkeypatch.setattr(starting, "failures", lambda _names: [])
    monkeypatch.setattr(server_units, "is_active", lambda _name: True)
    warned = []
    monkeypatch.setattr(server_units.LeasedModule, "warn", lambda _module, text: warned.append(text))
    answer, _asked = units("converge", {"db": STALE}, shown={"WantedBy": "worker"}, after="activating")
    assert answer["units"].keys() == {"db", "worker"}
    (said,) = warned
    assert said.startswith("worker did not start again")


def test_the_order_of_a_stop(units):
    _answer, asked = units("stop", {"api": UP, "clock": UP, "w": UP}, order={"clock": CLOCK, "w": WORKER})
    assert asked == ["systemctl stop -- clock", "systemctl stop -- w", "systemctl stop -- api"]


def test_what_must_not_come_up_at_boot_is_disabled_first(units):
    _answer, asked = units("stop", {"api": UP, "clock": DOWN}, at_boot=False)
    assert asked == ["systemctl disable --quiet -- api clock", "systemctl stop -- api"]


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


def test_the_module_uses_the_engine():
    assert server_units.unit_states is engine.unit_states
