# SPDX-FileCopyrightText: 2026 The selfhosting.lago authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""A Valkey for Lago alone, which another inventory host of the same server installs, beside one for everybody else."""

import pytest
from verify import inside, plays, wiring
from verify.outside import new_event
from verify.waiting import eventually

# Both inventory hosts are this server.
testinfra_hosts = ["ansible://lago.example.test"]
MAIN, DEPS = "lago.example.test", "lago.example.test-deps"
OWN, SHARED = "mash-lago-valkey", "mash-valkey"
PROCESSES = ["mash-lago-api", "mash-lago-api-worker", "mash-lago-api-clock"]


def test_names_and_paths(host):
    assert inside.all_active(host)
    assert f"{OWN}.service" in inside.installed_units(host)
    assert OWN in host.check_output("docker network ls --format '{{.Name}}'").split()
    data = host.file("/mash/lago-valkey/data")
    assert (data.is_directory, data.user, data.group) == (True, "mash", "mash")
    assert host.file("/mash").user == "mash"


def test_jobs_are_in_lagos_own_instance(host, site):
    host.check_output("systemctl stop mash-lago-api-worker")
    for _ in range(5):
        site.client().events.create(new_event())
    assert (wiring.jobs(host, OWN), wiring.jobs(host, SHARED)) == (5, 0)
    host.check_output("systemctl start mash-lago-api-worker")
    eventually(lambda: wiring.jobs(host, OWN) == 0)
    # Cache and web sockets do not use the other one either.
    assert wiring.keys(host, SHARED) == 0


def test_who_is_not_in_its_network_cannot_open_its_port(host):
    wrong = wiring.others(host, OWN)
    assert {"bridge", "mash-lago", "mash-postgres", "mash-valkey", "traefik"} <= set(wrong)
    for address in wiring.addresses(host, OWN):
        assert wiring.answer(host, OWN, OWN, address) == "PONG"
        assert [network for network in wrong if "PONG" in wiring.answer(host, network, OWN, address)] == []


@pytest.mark.parametrize("part", wiring.PROCESSES)
def test_systemd_orders_lago_after_it(host, part):
    assert wiring.is_ordered(host, f"mash-lago-{part}.service", f"{OWN}.service")
    assert not wiring.is_ordered(host, f"mash-lago-{part}.service", f"{SHARED}.service")


def test_a_reboot(host, server):
    wiring.reboots(host, server)
    assert [name for name in PROCESSES if not wiring.came_up_after(host, name, OWN)] == []


def test_the_main_host_alone(host):
    """A limited run finds on the server what the other inventory host has installed there."""
    before = inside.invocations(host)
    assert plays.play(MAIN).tasks == []
    assert inside.invocations(host) == before


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({"lago_redis_hostname": "mash-lgao-valkey"}, ["lago_redis_hostname is 'mash-lgao-valkey'"]),
        (
            {"lago_api_container_additional_networks_custom": ["mash-lgao-valkey"]},
            [
                "lago_api_container_additional_networks_custom names the network 'mash-lgao-valkey'",
                "add mash-lago-valkey",
            ],
        ),
        ({"valkey_identifier": OWN}, [f"{MAIN} and {DEPS} are the same server and would both own: units {OWN}"]),
        (
            {"valkey_base_path": "/mash/lago-valkey"},
            [f"{MAIN} and {DEPS} are the same server and would both own: paths"],
        ),
    ],
    ids=lambda value: next(iter(value)),
)
def test_a_limited_run_refuses_what_does_not_fit_the_server(host, variables, expected):
    before = inside.invocations(host)
    done = plays.attempt(MAIN, **variables)
    said = " ".join((done.stdout + done.stderr).split())
    assert done.returncode != 0
    assert [text for text in expected if text not in said] == []
    assert "changed=0" in said
    assert inside.invocations(host) == before


def test_stopping_it_warns_of_who_needs_it(host):
    done = plays.attempt(DEPS, "--tags=stop-group", group="valkey")
    said = " ".join((done.stdout + done.stderr).split())
    assert done.returncode == 0, said
    assert "stopped while others on the server need it" in said
    for name in PROCESSES:
        assert f"{name}.service of {MAIN}" in said
    assert inside.properties(host, OWN, "ActiveState")["ActiveState"] == "inactive"
    plays.play(DEPS, "--tags=start-group", group="valkey")
    # The worker, which was stopped before it, starts once it is there.
    eventually(lambda: inside.all_active(host), seconds=180)
