# SPDX-FileCopyrightText: 2026 The selfhosting.lago authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Inventory hosts that are one server: who owns what, and who goes first."""

from __future__ import annotations

import json

import pytest
from ansible_collections.selfhosting.lago.plugins.filter.filters import in_waves, same_machine, wave_sizes
from ansible_collections.selfhosting.lago.plugins.plugin_utils import neighbours
from ansible_collections.selfhosting.lago.plugins.plugin_utils.neighbours import claims_of, conflicts, waves

NOTHING = {"products": {}, "units": [], "networks": [], "paths": [], "ports": [], "uses": [], "containers": {}}
PORTS = ["6379/tcp", "127.0.0.1:6379/tcp", "0.0.0.0:6379/tcp", "[::]:6379/tcp"]


def claim(**values):
    return {**NOTHING, **values}


class Product:
    name = "valkey"
    identifier = "mash-valkey"
    enabled = True

    def networks(self):
        return [{"name": "mash-valkey"}]

    def directories(self):
        return [{"path": "/mash/valkey"}]

    def parts(self, keys):
        return [
            {
                "name": "mash-valkey",
                "ports": ["127.0.0.1:6379:6379"],
                "needs": ["mash-other.service"],
                "networks": ["mash-valkey", "traefik"],
            }
        ]


class DisabledProduct(Product):
    enabled = False


def test_a_host_claims_what_its_enabled_products_own_and_use():
    assert claims_of([Product()]) == {
        "products": {"mash-valkey": "valkey"},
        "units": ["mash-valkey"],
        "networks": ["mash-valkey"],
        "paths": ["/mash/valkey"],
        "ports": ["127.0.0.1:6379/tcp"],
        "uses": ["mash-other", "mash-valkey", "traefik"],
        "containers": {"mash-valkey": ["mash-valkey", "traefik"]},
    }
    assert claims_of([DisabledProduct()]) == NOTHING


@pytest.mark.parametrize(
    ("written", "port"),
    [("80:8080", "80/tcp"), ("443:8443/udp", "443/udp"), ("[::1]:1:2", "[::1]:1/tcp"), ("6379", "6379/tcp")],
)
def test_published_ports(written, port):
    assert neighbours.published(written) == port


@pytest.mark.parametrize("kind", ["units", "networks", "paths"])
def test_two_hosts_cannot_own_the_same(kind):
    claims = {"one": claim(**{kind: ["same"]}), "two": claim(**{kind: ["same", "other"]})}
    (problem,) = conflicts("one", claims, {})
    assert problem.startswith(f"one and two are the same server and would both own: {kind} same. ")
    assert "mash_playbook_service_identifier_prefix" in problem
    # The first of the pair has told it.
    assert conflicts("two", claims, {}) == []


@pytest.mark.parametrize("first", PORTS)
@pytest.mark.parametrize("second", PORTS)
def test_a_port_of_all_addresses_is_one_of_each(first, second):
    (problem,) = conflicts("one", {"one": claim(ports=[first]), "two": claim(ports=[second])}, {})
    assert f"ports {first}." in problem


@pytest.mark.parametrize("other", ["6380/tcp", "6379/udp", "127.0.0.2:6379/tcp"])
def test_other_ports(other):
    assert conflicts("one", {"one": claim(ports=["127.0.0.1:6379/tcp"]), "two": claim(ports=[other])}, {}) == []


def test_two_traefiks():
    one, two = ({"products": {f"{name}-traefik": "traefik"}, "networks": ["traefik"]} for name in "ab")
    (problem,) = conflicts("one", {"one": claim(**one), "two": claim(**two)}, {})
    assert "would both own: networks traefik. " in problem
    assert "mash_playbook_reverse_proxy_type: other-traefik-container" in problem
    two["networks"] = ["other"]
    (problem,) = conflicts("one", {"one": claim(**one), "two": claim(**two)}, {})
    assert "would both run Traefik: a-traefik, b-traefik. " in problem


def test_using_the_same_is_no_conflict():
    assert conflicts("one", {"one": claim(uses=["traefik"]), "two": claim(uses=["traefik"])}, {}) == []


def server(**values):
    return {"claims": {}, "units": {}, "containers": {}, **values}


def record(host, identifier, **owned):
    values = {"product": "valkey", "units": [identifier], "networks": [], "paths": [], "ports": [], **owned}
    return json.loads(neighbours.record_of(host, values))


def recorded(identifiers=(), inventory=("one", "two"), units=("mash-valkey.service",), **owned):
    there = server(claims={"mash-valkey": record("two", "mash-valkey", **owned)}, units={unit: {} for unit in units})
    return neighbours.recorded(there, ["one"], inventory, identifiers)


def test_what_a_host_outside_the_run_owns_stands_on_the_server():
    elsewhere = recorded(paths=["/mash/valkey"], identifiers=["mash-valkey"])
    (problem,) = conflicts("one", {"one": claim(paths=["/mash/valkey"])}, elsewhere)
    assert problem.startswith("one and two are the same server and would both own: paths /mash/valkey. ")
    assert "run both together if it is no longer so" in problem


def test_a_record_of_what_is_no_longer_there():
    assert recorded(units=["mash-lago-api.service"]) == {}


def test_a_host_that_was_renamed_finds_its_own():
    assert recorded(inventory=["one"], identifiers=["mash-valkey"]) == {}
    # What is not its own is another's, whatever became of that one.
    assert list(recorded(inventory=["one"])) == ["two"]


def test_a_host_of_the_run_is_known_from_the_run():
    there = server(claims={"mash-valkey": record("one", "mash-valkey")}, units={"mash-valkey.service": {}})
    assert neighbours.recorded(there, ["one"], ["one"], []) == {}


def test_a_network_that_nobody_makes():
    claims = claim(containers={"a": ["mash-lago", "mash-lgao-valkey"], "b": ["mash-lago", "proxy"]})
    named = {"mash-lgao-valkey": "lago_api_container_additional_networks_custom"}
    first, second = neighbours.missing_networks(claims, named, ["mash-lago"], "lago.example.com")
    assert first.startswith("lago_api_container_additional_networks_custom names the network 'mash-lgao-valkey'. ")
    assert second.startswith("A container of lago.example.com names the network 'proxy'. ")
    assert neighbours.missing_networks(claims, named, ["mash-lago", "mash-lgao-valkey", "proxy"], "") == []


def connection(name, *hosts):
    return {
        "variable": "lago_redis_hostname",
        "name": name,
        "networks": ["mash-lago", "mash-valkey"],
        "networks_variable": "lago_api_container_additional_networks_custom",
        "hosts": hosts,
    }


@pytest.mark.parametrize("name", ["", "redis.example.com", "203.0.113.7", "fd00::7", "mash-valkey"])
def test_names_that_may_be_there(name):
    assert neighbours.unanswered([connection(name)], {"mash-valkey": ["mash-valkey"]}) == []


def test_a_name_that_the_user_adds_to_the_container():
    assert neighbours.unanswered([connection("redis", "redis")], {}) == []


def test_a_name_that_nobody_has():
    (problem,) = neighbours.unanswered([connection("mash-lgao-valkey")] * 2, {"mash-valkey": ["mash-valkey"]})
    assert problem.startswith("lago_redis_hostname is 'mash-lgao-valkey'. No container on the server has this name")


def test_a_container_that_cannot_be_reached():
    (problem,) = neighbours.unanswered([connection("other")], {"other": ["other-network"]})
    assert "in none of the networks mash-lago, mash-valkey: add other-network to lago_api_container" in problem


def test_who_is_used_goes_first():
    claims = {
        "a-main": claim(units=["mash-lago-api"], uses=["mash-lago-valkey", "mash-lago-api"]),
        "b-second": claim(units=["second-lago-api"], uses=["traefik"]),
        "c-deps": claim(units=["mash-lago-valkey"], networks=["mash-lago-valkey"]),
        "d-proxy": claim(networks=["traefik"]),
    }
    assert waves(claims) == ["c-deps", "a-main", "d-proxy", "b-second"]


def test_a_circle_is_refused():
    with pytest.raises(ValueError, match="one, two use services of each other"):
        waves({"one": claim(units=["a"], uses=["b"]), "two": claim(units=["b"], uses=["a"])})


def test_hosts_of_one_server_follow_each_other():
    hostvars = {
        "main": {"selfhosting_wave": 1, "selfhosting_probe": {"server": {"machine": "x"}}},
        "deps": {"selfhosting_wave": 0, "selfhosting_probe": {"server": {"machine": "x"}}},
        "elsewhere": {"selfhosting_probe": {"server": {"machine": "y"}}},
        "unreached": {},
    }
    hosts = ["main", "deps", "elsewhere"]
    assert same_machine([*hosts, "unreached"], hostvars, "x") == ["main", "deps"]
    assert in_waves(hosts, hostvars) == ["deps", "elsewhere", "main"]
    assert wave_sizes(hosts, hostvars) == [2, 1]
    assert wave_sizes([], {}) == [1]


def test_who_loses_something():
    there = server(
        units={
            "mash-valkey.service": {"needed_by": ["mash-lago-api.service", "other.service"]},
            "mash-postgres.service": {"needed_by": ["mash-lago-api.service"]},
        },
        containers={
            "mash-valkey": {"networks": ["mash-valkey"], "running": True},
            "by-hand": {"networks": ["mash-valkey"], "running": True},
            "stopped": {"networks": ["mash-valkey"], "running": False},
            "elsewhere": {"networks": ["mash-postgres"], "running": True},
        },
    )
    assert neighbours.dependents({"mash-valkey.service"}, {"mash-valkey"}, there) == {
        "by-hand.service": ["network mash-valkey"],
        "mash-lago-api.service": ["mash-valkey.service"],
        "other.service": ["mash-valkey.service"],
    }
    stopped = {"mash-valkey.service", "mash-lago-api.service"}
    assert list(neighbours.dependents(stopped, {"mash-valkey"}, there)) == ["by-hand.service", "other.service"]
