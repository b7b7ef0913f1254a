# SPDX-FileCopyrightText: 2026 The selfhosting.lago authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Inventory hosts that are one server."""

from __future__ import annotations

import pytest
from ansible_collections.selfhosting.lago.plugins.filter.filters import in_waves, same_machine, wave_sizes
from ansible_collections.selfhosting.lago.plugins.plugin_utils.neighbours import claims_of, conflicts, waves

NOTHING = {"units": [], "networks": [], "paths": [], "ports": [], "uses": []}


def claim(**values):
    return {**NOTHING, **values}


class Product:
    enabled = True

    def networks(self):
        return [{"name": "mash-valkey"}]

    def directories(self):
        return [{"path": "/mash/valkey"}]

    def services(self):
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
        "units": ["mash-valkey"],
        "networks": ["mash-valkey"],
        "paths": ["/mash/valkey"],
        "ports": ["127.0.0.1:6379"],
        "uses": ["mash-other", "mash-valkey", "traefik"],
    }
    assert claims_of([DisabledProduct()]) == NOTHING


@pytest.mark.parametrize("kind", ["units", "networks", "paths", "ports"])
def test_two_hosts_cannot_own_the_same(kind):
    (problem,) = conflicts({"one": claim(**{kind: ["same"]}), "two": claim(**{kind: ["same", "other"]})})
    assert "one and two are the same server" in problem
    assert f"{kind} same." in problem
    assert "mash_playbook_service_identifier_prefix" in problem


def test_using_the_same_is_no_conflict():
    assert conflicts({"one": claim(uses=["traefik"]), "two": claim(uses=["traefik"])}) == []


def test_who_is_used_goes_first():
    claims = {
        "a-main": claim(units=["mash-lago-api"], uses=["mash-lago-valkey", "mash-lago-api"]),
        "b-second": claim(units=["second-lago-api"], uses=["traefik"]),
        "c-deps": claim(units=["mash-lago-valkey"], networks=["mash-lago-valkey"]),
        "d-proxy": claim(networks=["traefik"]),
    }
    order = waves(claims)
    assert order["c-deps"] < order["a-main"]
    assert order["d-proxy"] < order["b-second"]
    assert sorted(order.values()) == [0, 1, 2, 3]


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
