# SPDX-FileCopyrightText: 2026 The selfhosting.lago authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""The watchdog of Lago's clock and workers, against invented units and an invented journal."""

import importlib.util
import json
from types import SimpleNamespace

import pytest
from virtual_host import REPOSITORY

CLOCK = ["mash-clock", "mash-catch-up", "schedule:bill", "70"]
MINUTE = 60
NOW = 1_800_000_000


class Server:
    """What the watchdog asks of it, and what it does to it."""

    def __init__(self, module, directory, monkeypatch):
        self.module, self.directory = module, directory
        self.now, self.states, self.ticks, self.titles, self.done = NOW, {}, [], {}, []
        self.fails, self.asked = set(), []
        monkeypatch.setattr(module, "run", self.run)
        monkeypatch.setattr(module, "time", SimpleNamespace(time=lambda: self.now))
        monkeypatch.setattr(module, "UNITS", str(directory))
        monkeypatch.setattr(module, "PROC", str(directory / "proc"))

    def run(self, *command, **_options):
        output, code = "", 0
        if command[:2] == ("systemctl", "show"):
            output = self.states.get(command[-1].removesuffix(".service"), "active")
        elif command[0] == "journalctl":
            since = next(int(word.split("@")[1]) for word in command if word.startswith("--since=@"))
            text = next(word.split("=", 1)[1] for word in command if word.startswith("--grep="))
            units = [word.split("=")[1] for word in command if word.startswith("--identifier=")]
            found = [at for at, unit, line in self.ticks if at >= since and unit in units and text in line]
            output, code = (f"{max(found)}.000000 x", 0) if found else ("", 1)
        elif command[0] == "docker":
            self.asked.append(command[-1])
            output = command[-1]
        else:
            self.done.append(" ".join(command[1:]))
            code = int(command[-1] in self.fails)
            if "catch-up" in command[-1] and not code:
                self.tick("mash-catch-up")
        return SimpleNamespace(stdout=output, returncode=code)

    def tick(self, unit="mash-clock", event="schedule:bill"):
        self.ticks.append((self.now, unit, f"Triggering '{event}'"))

    def worker(self, name, title):
        (self.directory / f"{name}.service").write_text("[X-SelfHosting]\nProduct=mash-lago\nQuiet=TSTP\n")
        (self.directory / "proc" / name).mkdir(parents=True, exist_ok=True)
        (self.directory / "proc" / name / "cmdline").write_bytes(title.replace(" ", "\0").encode())

    def look(self, minutes=0, clock=CLOCK):
        self.now += minutes * MINUTE
        return self.module.main([str(self.directory / "state.json"), "mash-lago", *clock])


@pytest.fixture
def server(tmp_path, monkeypatch):
    path = REPOSITORY / "roles" / "lago" / "files" / "watchdog.py"
    specification = importlib.util.spec_from_file_location("watchdog", path)
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return Server(module, tmp_path, monkeypatch)


def test_a_clock_that_ticks(server):
    for _hour in range(5):
        server.tick()
        assert server.look(60) == 0
    assert server.done == []


def test_a_missed_tick_is_made_up_for_once(server, capsys):
    server.tick()
    assert [server.look(minutes) for minutes in (5, 60, 4)] == [0, 0, 0]
    server.tick(event="schedule:other")
    assert server.done == []
    assert server.look(1) == 0
    assert "schedule:bill has not come for 70 minutes" in capsys.readouterr().out
    assert [server.look(5) for _ in range(13)] == [0] * 13
    assert server.done == ["start -- mash-catch-up.service"]
    server.tick(event="schedule:other")
    server.look(5)
    assert server.done == ["start -- mash-catch-up.service"] * 2, "it was missed again"


def test_nothing_is_missed_before_the_first_look(server):
    assert server.look() == 0
    assert server.look(69) == 0
    assert server.done == []


def test_after_hours_without_power_it_is_made_up_for_at_once(server):
    server.tick()
    server.look()
    server.ticks = []
    server.look(300)
    assert server.done[0] == "start -- mash-catch-up.service"


def test_a_clock_that_does_nothing_at_all_is_restarted(server):
    server.look()
    server.look(70)
    assert server.done == ["start -- mash-catch-up.service", "restart -- mash-clock.service"]


def test_what_does_not_help_makes_the_watchdog_fail_and_is_tried_again(server, capsys):
    server.look()
    server.fails = {"mash-catch-up.service"}
    assert server.look(70) == 1
    assert "mash-catch-up.service failed" in capsys.readouterr().out
    server.fails = set()
    assert server.look(5) == 0
    assert server.done.count("start -- mash-catch-up.service") == 2


@pytest.mark.parametrize("state", ["inactive", "failed"])
def test_a_dead_clock_is_told_and_not_started(server, state, capsys):
    server.states["mash-clock"] = state
    assert server.look() == 0, "the playbook may be about to start it"
    assert server.look(5) == 1
    assert f"mash-clock.service is {state}: nothing is billed" in capsys.readouterr().out
    server.states["mash-clock"] = "activating"
    assert server.look(100) == 0
    assert server.done == []


def test_a_clock_elsewhere_is_not_missed(server):
    assert [server.look(100, clock=[]) for _ in range(3)] == [0, 0, 0]
    assert server.done == []


def test_a_worker_that_was_quieted_and_forgotten(server, capsys):
    server.worker("mash-worker", "sidekiq 7.3.2 app [0 of 2 busy] stopping")
    server.worker("mash-other", "sidekiq 7.3.2 app [0 of 2 busy]")
    assert server.look(clock=[]) == 0
    assert server.done == [], "somebody may be about to stop it"
    assert server.look(5, clock=[]) == 0
    assert server.done == ["restart -- mash-worker.service"]
    assert "mash-worker was told to take no more jobs, and was forgotten" in capsys.readouterr().out
    assert json.loads((server.directory / "state.json").read_text())["quiet"] == {}


def test_a_worker_that_is_being_stopped_is_left_alone(server):
    server.worker("mash-worker", "sidekiq 7.3.2 app [1 of 2 busy] stopping")
    server.states["mash-worker"] = "deactivating"
    assert [server.look(5, clock=[]) for _ in range(3)] == [0, 0, 0]
    assert server.done == []


def test_a_docker_that_was_stopped_is_not_asked(server):
    """Its socket would start it."""
    server.worker("mash-worker", "sidekiq 7.3.2 app [1 of 2 busy]")
    server.states["mash-worker"] = "inactive"
    assert server.look(clock=[]) == 0
    assert server.asked == []
