# SPDX-FileCopyrightText: 2026 The selfhosting.lago authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""One run at a time: who holds a server, who takes it over, and what the log says."""

import json
from types import SimpleNamespace

import pytest
from ansible_collections.selfhosting.lago.plugins.action import server_probe as probe_action
from ansible_collections.selfhosting.lago.plugins.module_utils import lease
from ansible_collections.selfhosting.lago.plugins.modules import server_run_end
from ansible_collections.selfhosting.lago.plugins.plugin_utils.lease import RUN, another, commit, terms
from unit.engine.invented import DOWN

ME = {"id": "me", "serial": 0, "who": "me@laptop", "commit": "c1", "host": "lago.example.com"}
SHE = {**ME, "id": "she", "who": "she@desk", "commit": "c2"}


@pytest.fixture
def server(tmp_path, monkeypatch):
    """Where the lease is, and a clock that the test sets."""
    found = SimpleNamespace(now=1000.0, boot="b1", log=tmp_path / "log" / "runs.jsonl", path=tmp_path / "state")
    monkeypatch.setattr(lease, "STATE", str(found.path))
    monkeypatch.setattr(lease, "LOG", str(found.log))
    monkeypatch.setattr(lease, "boot", lambda: found.boot)
    monkeypatch.setattr(lease.time, "monotonic", lambda: found.now)
    found.lines = lambda: [json.loads(line) for line in found.log.read_text().splitlines()]
    return found


def test_a_run_from_its_first_change_to_its_end(server):
    assert lease.seen() == {"serial": 0, "id": "", "who": "", "began": "", "alive": False}
    lease.acquire(ME)
    seen = lease.seen()
    assert (seen["serial"], seen["who"], seen["alive"]) == (1, "me@laptop", True)
    lease.renew(ME, {"a.service": {"action": "restart", "reasons": []}})
    lease.acquire(ME)
    assert lease.end(ME, "done", versions={"lago": "v1.52.1"})
    assert lease.seen()["alive"] is False
    (line,) = server.lines()
    assert line["units"] == {"a.service": {"action": "restart", "reasons": []}}
    assert (line["who"], line["commit"], line["outcome"], line["versions"]) == (
        *("me@laptop", "c1", "done"),
        {"lago": "v1.52.1"},
    )
    assert not lease.end(ME, "done"), "it is logged once"


def test_the_second_one_is_told_who_has_it(server):
    lease.acquire(ME)
    server.now += lease.LIFETIME - 1
    lease.renew(ME)
    server.now += lease.LIFETIME - 1
    with pytest.raises(lease.LeaseError, match="me@laptop has been changing this server since"):
        lease.acquire({**SHE, "serial": 1})


@pytest.mark.parametrize("how", ["two minutes", "reboot"])
def test_what_died_is_taken_over_and_logged(server, how):
    lease.acquire(ME)
    lease.renew(ME, {"a.service": {"action": "start"}})
    if how == "reboot":
        server.boot = "b2"
    else:
        server.now += lease.LIFETIME
    assert lease.seen()["alive"] is False
    lease.acquire({**SHE, "serial": lease.seen()["serial"]})
    assert lease.seen()["who"] == "she@desk"
    (line,) = server.lines()
    assert (line["who"], line["outcome"]) == ("me@laptop", "unfinished")
    assert line["units"] == {"a.service": {"action": "start"}}
    # The dead one wakes up, and has lost it.
    with pytest.raises(lease.LeaseError, match="she@desk has been changing"):
        lease.acquire(ME)
    lease.renew(ME)
    assert lease.seen()["who"] == "she@desk"


def test_a_plan_from_before_another_run_is_not_carried_out(server):
    lease.acquire(ME)
    lease.end(ME, "done")
    with pytest.raises(lease.LeaseError, match="me@laptop has changed this server since this run looked at it"):
        lease.acquire(SHE)
    lease.acquire({**SHE, "serial": 1})


def test_the_log_is_rotated(server, monkeypatch):
    monkeypatch.setattr(lease, "LARGEST_LOG", 10)
    for number in range(3):
        lease.append({"number": number})
    assert [line["number"] for line in server.lines()] == [2]
    assert json.loads(server.log.with_name("runs.jsonl.1").read_text())["number"] == 1


def test_a_module_that_changes_something_holds_the_lease(server, units):
    assert units("converge", {"a": DOWN}, check_mode=True, lease=ME)[0]["changed"]
    assert lease.read() == {}
    assert units("converge", {"a": DOWN}, lease=ME)[0]["changed"]
    assert lease.read()["units"]["a"]["action"] == "start"
    refused, _asked = units("converge", {"a": DOWN}, lease={**SHE, "serial": 1})
    assert refused["failed"]
    assert "me@laptop has been changing this server" in refused["msg"]


def test_a_run_that_fails_gives_it_back_at_once(server, units):
    assert units("converge", {"a": DOWN}, after="failed", lease=ME)[0]["failed"]
    assert lease.seen()["alive"] is False
    (line,) = server.lines()
    assert (line["outcome"], line["message"][:19]) == ("failed", "a did not get ready")


API = "docker.io/getlago/api:v1.{}.0"


def test_images_of_the_last_two_versions_stay():
    history = [API.format(50), "docker.io/traefik:v3.6", API.format(51), API.format(52)]
    known, old = server_run_end.too_old(history, {API.format(53), "docker.io/traefik:v3.7"}, 2)
    assert old == [API.format(50), API.format(51)]
    # Another inventory host of the server has an older one.
    _known, old = server_run_end.too_old(history, {API.format(53), API.format(50)}, 2)
    assert old == [API.format(51), API.format(52)]
    # Back to the one before: that counts as new.
    assert server_run_end.too_old(known, {API.format(52)}, 2)[1] == [API.format(50), API.format(51)]


@pytest.mark.parametrize(
    ("reference", "expected"),
    [
        ("docker.io/getlago/api:v1.52.1", "getlago/api"),
        ("registry:5000/getlago/api:v1", "registry:5000/getlago/api"),
        ("docker.io/getlago/api@sha256:12", "getlago/api"),
        ("docker.io/traefik", "traefik"),
    ],
)
def test_repository(reference, expected):
    assert server_run_end.repository(reference) == expected


def test_who_this_run_is():
    found = terms("lago.example.com", {"lease": {"serial": 7}})
    assert (found["id"], found["serial"], found["host"]) == (RUN, 7, "lago.example.com")
    assert "@" in found["who"]
    assert len(commit()) in (0, 12, 13)


def test_another_run():
    held = {"serial": 1, "id": "x", "who": "she@desk", "began": "now", "alive": True}
    assert another({"lease": held}) == held
    assert another({"lease": {**held, "id": RUN}}) is None
    assert another({"lease": {**held, "alive": False}}) is None
    assert another({}) is None


@pytest.fixture
def look(monkeypatch):
    """The probe's action on a server whose lease is each of these, one after the other."""

    def run(*alive, patience=60):
        answers = [
            {"server": {"lease": {"id": "x", "who": "she@desk", "began": "noon", "alive": one}}} for one in alive
        ]
        action = probe_action.ActionModule.__new__(probe_action.ActionModule)
        said, left = [], iter(answers[1:])
        monkeypatch.setattr(probe_action, "LOOK_AGAIN_AFTER", 0)
        monkeypatch.setattr(probe_action.display, "display", said.append)
        action.look = lambda _arguments, _task_vars: next(left)
        return action.after_others(answers[0], {}, {"inventory_hostname": "a"}, patience), said

    return run


def test_a_run_waits_for_another(look):
    answer, said = look(True, True, False)
    assert answer["server"]["lease"]["alive"] is False
    assert said == ["a: she@desk has been changing this server since noon; waiting for that, 60 s at most"]
    assert look(False)[1] == []


def test_but_not_for_ever(look):
    with pytest.raises(Exception, match="a: she@desk has been changing this server since noon; nothing was changed"):
        look(True, True, patience=-1)
