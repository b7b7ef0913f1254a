# SPDX-FileCopyrightText: 2026 The selfhosting.lago authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""How Valkey keeps its data, and what happens first when that changes while it runs."""

import pytest
from ansible_collections.selfhosting.lago.plugins.modules import server_probe
from virtual_host import VirtualHost

CONFIGURATION = "/mash/valkey/config/valkey.conf"
STEP = "mash-valkey-append-only.service"
SNAPSHOTS = {"running_containers": ["mash-valkey"], "valkey_persistence": "snapshots"}
CACHE = {
    "valkey_maxmemory": "256mb",
    "valkey_maxmemory_policy": "allkeys-lru",
    "valkey_append_only_enabled": False,
    "valkey_save_rules": [],
    # Lago's jobs are elsewhere.
    "lago_redis_hostname": "redis.example.com",
}


def unit(host):
    return host.rendered("valkey")["/etc/systemd/system/mash-valkey.service"]["content"]


def test_the_preset_of_a_queue():
    host = VirtualHost()
    lines = host.rendered("valkey")[CONFIGURATION]["content"].splitlines()
    assert {"appendonly yes", "appendfsync everysec", "maxmemory-policy noeviction", "save 3600 1"} <= set(lines)
    assert "--stop-timeout=60" in unit(host)
    assert "sysctl --quiet --write vm.overcommit_memory=1" in unit(host)


def test_a_cache():
    host = VirtualHost(change=CACHE)
    lines = host.rendered("valkey")[CONFIGURATION]["content"].splitlines()
    assert {"maxmemory 256mb", "maxmemory-policy allkeys-lru", 'save ""'} <= set(lines)
    assert "appendonly yes" not in lines
    assert "sysctl" not in unit(host)
    assert "/etc/systemd/system/" + STEP not in host.rendered("valkey")


def test_the_password_of_before():
    """start.sh is told the password and for how long the one before opens as well; what it does: tests/images."""
    host = VirtualHost(
        change={"valkey_connection_password": "x", "valkey_connection_password_grace_time_seconds": 4711}
    )
    file = host.rendered("valkey")["/mash/valkey/config/password"]
    assert (file["content"], file["secret"], file["mode"]) == ("x", True, "0640")
    assert "    4711\n" in unit(host)
    server = host.installed("valkey")
    host = VirtualHost(change={"valkey_connection_password": ""})
    assert "/mash/valkey/config/password" not in host.rendered("valkey")
    assert host.plan("valkey", server).absent == {"/mash/valkey/config/password": "There is no password any more"}


@pytest.mark.parametrize(
    ("server", "change", "expected"),
    [
        # The first install.
        ({}, {}, []),
        ({"valkey_persistence": "append-only", "running_containers": ["mash-valkey"]}, {}, []),
        # Taken over from MASH, or switched.
        (SNAPSHOTS, {}, [STEP]),
        # It stands still: start.sh reads the snapshot.
        ({"valkey_persistence": "snapshots"}, {}, []),
        (SNAPSHOTS, CACHE, []),
    ],
)
def test_the_append_only_file_of_a_running_server_is_written_first(server, change, expected):
    host = VirtualHost(change=change, server=server)
    plan = host.plan("valkey", host.empty_server())
    assert [step.unit for step in plan.gates] == expected
    staged = {file["path"] for file in plan.stage_files}
    assert CONFIGURATION not in staged
    if expected:
        assert {f"/etc/systemd/system/{STEP}", "/mash/valkey/programs/to-append-only.sh"} <= staged


def test_each_time_that_it_runs_without():
    """Switched back and forth, it is done again: the record of the first time says nothing about the second."""
    host = VirtualHost(server=SNAPSHOTS)
    server = host.installed("valkey")
    server["units"]["mash-valkey.service"]["invocation"] = "the second"
    host.variables["selfhosting_probe"]["server"] = server
    assert [step.unit for step in host.plan("valkey", server).gates] == [STEP]


@pytest.mark.parametrize(
    ("text", "expected"),
    [("port 6379\nappendonly yes\n", "append-only"), ("#appendonly yes\n", "snapshots"), (None, "")],
)
def test_the_probe_sees_how_it_keeps_its_data(tmp_path, text, expected):
    if text is not None:
        (tmp_path / "valkey.conf").write_text(text)
    assert server_probe.valkey_persistence(str(tmp_path / "valkey.conf")) == expected
