# SPDX-FileCopyrightText: 2026 The selfhosting.lago authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""What the probe says of other services on the server."""

import json
import subprocess
from pathlib import Path

import pytest
import yaml
from ansible_collections.selfhosting.lago.plugins.modules import server_probe


class Docker:
    def __init__(self):
        self.asked = []

    def containers(self):
        return {"a": {"networks": ["n"], "state": "running"}, "b": {"networks": ["n", "m"], "state": "exited"}}

    def aliases(self, names):
        self.asked.append(names)
        return {"redis": ["n"], "other": ["m"]}


@pytest.mark.parametrize("names", [["a"], ["redis.example.com"], ["fd00::1"], []])
def test_containers_are_asked_for_aliases_only_where_a_name_could_be_one(names):
    docker = Docker()
    assert server_probe.reachable(docker, names) == {
        "a": {"networks": ["n"], "running": True},
        "b": {"networks": ["n", "m"], "running": False},
    }
    assert docker.asked == []


def test_an_alias_that_was_asked_for():
    docker = Docker()
    found = server_probe.reachable(docker, ["redis", "unknown"])
    assert found["redis"]["networks"] == ["n"]
    assert set(found) == {"a", "b", "redis"}


def test_only_what_runs_needs_something(monkeypatch):
    shown = {"foreign.service": {"ActiveState": "active"}, "stopped.service": {"ActiveState": "inactive"}}
    monkeypatch.setattr(server_probe, "show_units", lambda names: {name: shown[name] for name in names})
    states = {
        "a.service": {"active": True, "needed_by": ["b.service", "c.service", "foreign.service", "stopped.service"]},
        "b.service": {"active": True},
        "c.service": {"active": False},
    }
    server_probe.keep_running_dependents(states)
    assert states["a.service"]["needed_by"] == ["b.service", "foreign.service"]
    assert states["b.service"]["needed_by"] == []


def test_the_documented_example():
    """Run for real, on the machine of the test; it reads only."""
    ((_name, arguments),) = [item for item in yaml.safe_load(server_probe.EXAMPLES)[0].items() if item[0] != "name"]
    arguments["digest_key"] = "any"
    done = subprocess.run(
        ["ansible", "localhost", "-m", "selfhosting.lago.server_probe", "-a", json.dumps(arguments), "-o"],
        cwd=Path(__file__).parents[3],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert '"distribution": "' in done.stdout
