# SPDX-FileCopyrightText: 2026 The selfhosting.lago authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""What the run left on the server: units, containers, ports."""

import ipaddress
import json

import pytest
from verify import inside, ports

EXPECTED = [
    "mash-container-socket-proxy.service",
    "mash-lago-api-clock.service",
    "mash-lago-api-worker.service",
    "mash-lago-api.service",
    "mash-lago-front.service",
    "mash-lago-pdf.service",
    "mash-postgres.service",
    "mash-traefik.service",
    "mash-valkey.service",
]
OF_LAGO = ["mash-lago-api", "mash-lago-api-worker", "mash-lago-api-clock"]


def test_everything_on_the_server_runs(host):
    assert host.check_output("systemctl is-system-running || true") == "running"
    assert inside.installed_units(host) == EXPECTED
    assert inside.all_active(host)


@pytest.mark.parametrize("unit", EXPECTED)
def test_a_unit_requires_docker_only(host, unit):
    seen = inside.properties(host, unit, "Requires", "BindsTo", "Requisite", "After", "WantedBy")
    ours = [name for key in ("Requires", "BindsTo", "Requisite") for name in seen[key].split() if "mash-" in name]
    assert ours == []
    assert "docker.service" in seen["Requires"].split()
    assert "docker.service" in seen["After"].split()
    assert {"docker.service", "multi-user.target"} <= set(seen["WantedBy"].split())


@pytest.mark.parametrize("name", OF_LAGO)
def test_lago_starts_after_its_databases(host, name):
    seen = inside.properties(host, f"{name}.service", "Wants", "After")
    for needed in ("mash-postgres.service", "mash-valkey.service"):
        assert needed in seen["Wants"].split()
        assert needed in seen["After"].split()


def test_containers_may_do_as_little_as_possible(host):
    found = inside.containers(host)
    assert {f"{name}.service" for name in found} == set(EXPECTED)
    for name, container in found.items():
        settings = container["HostConfig"]
        assert settings["ReadonlyRootfs"], name
        assert not settings["Privileged"], name
        assert (settings["CapDrop"], settings["CapAdd"] or []) == (["ALL"], []), name
        assert any(option.startswith("no-new-privileges") for option in settings["SecurityOpt"]), name
        assert settings["PidMode"] == "", name
        # The socket's owner reads it, without a capability.
        assert container["Config"]["User"].split(":")[0] != "0" or name == "mash-container-socket-proxy", name
        assert "docker.sock" not in str(container["Mounts"]) or name == "mash-container-socket-proxy", name


def test_no_secret_is_in_a_unit_or_a_command_line(host, user_values):
    secrets = [
        user_values["mash_playbook_generic_secret_key"],
        user_values["postgres_connection_password"],
        user_values["lago_migrate_environment_variable_lago_org_user_password"],
        user_values["lago_migrate_environment_variable_lago_org_api_key"],
    ]
    # What Lago itself writes of requests into its log is not ours to filter.
    journal = "journalctl --no-pager --output=short | grep --invert-match ' mash-lago-api\\['"
    text = host.check_output(f"cat /etc/systemd/system/mash-*; ps -eo args; {journal}")
    assert "mash-lago-api" in text
    assert "ansible" in text
    assert [secret for secret in secrets if secret in text] == []


def test_networks_have_ipv6(host):
    """With Docker 20.10 and 26.1, which choose no addresses of IPv6 by themselves."""
    names = ["traefik", "mash-lago", "mash-postgres", "mash-valkey"]
    networks = json.loads(host.check_output(f"docker network inspect {' '.join(names)}"))
    assert {network["Name"]: network["EnableIPv6"] for network in networks} == dict.fromkeys(names, True)
    for network in networks:
        subnets = [ipaddress.ip_network(config["Subnet"]) for config in network["IPAM"]["Config"]]
        assert sorted(subnet.version for subnet in subnets) == [4, 6]
    for name, container in inside.containers(host).items():
        for network, address in container["NetworkSettings"]["Networks"].items():
            assert bool(address["GlobalIPv6Address"]) == (network in names), (name, network)


def test_docker_translates_ipv6_where_it_was_installed_by_us(host):
    options = json.loads(host.check_output("cat /etc/docker/daemon.json"))
    assert (options["experimental"], options["ip6tables"]) == (True, True)


def test_ports_open_from_outside(server):
    assert ports.open_ports(server.address) == [22, 80, 443]
