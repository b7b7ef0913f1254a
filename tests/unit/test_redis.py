# SPDX-FileCopyrightText: 2026 The selfhosting.lago authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Where Lago's jobs, cache and web sockets are: Lago's environment, networks and units for each way to say it."""

import pytest
from virtual_host import VirtualHost

PASSWORD = "p%ss w'rd\"/+:@"
ENCODED = "p%25ss%20w%27rd%22%2F%2B%3A%40"
PROCESSES = ["mash-lago-migrate", "mash-lago-api", "mash-lago-api-worker", "mash-lago-api-clock"]
SENTINELS = ["one.example.com:26379", "two.example.com:26379"]
OWN = {"valkey_enabled": False, "valkey_connection_password": "", "lago_redis_hostname": "redis.example.com"}

ROWS = {
    "Valkey of this server": (
        {"valkey_connection_password": ""},
        {
            "REDIS_URL": "redis://mash-valkey:6379/0",
            "LAGO_REDIS_CACHE_URL": "redis://mash-valkey:6379/1",
            "LAGO_REDIS_CABLE_URL": "redis://mash-valkey:6379/2",
        },
    ),
    "with a password, on another port": (
        {"valkey_connection_password": PASSWORD, "valkey_container_tcp_port": 6380},
        {
            "REDIS_URL": "redis://mash-valkey:6380/0",
            "REDIS_PASSWORD": PASSWORD,
            "LAGO_REDIS_CACHE_URL": "redis://mash-valkey:6380/1",
            "LAGO_REDIS_CACHE_PASSWORD": PASSWORD,
            "LAGO_REDIS_CABLE_URL": f"redis://:{ENCODED}@mash-valkey:6380/2",
        },
    ),
    "cache in a Valkey of its own": (
        {
            "valkey_connection_password": PASSWORD,
            "lago_redis_cache_hostname": "mash-cache-valkey",
            "lago_redis_cache_port": 6379,
            "lago_redis_cache_password": "",
        },
        {
            "REDIS_URL": "redis://mash-valkey:6379/0",
            "REDIS_PASSWORD": PASSWORD,
            "LAGO_REDIS_CACHE_URL": "redis://mash-cache-valkey:6379/1",
            "LAGO_REDIS_CABLE_URL": f"redis://:{ENCODED}@mash-valkey:6379/2",
        },
    ),
    "jobs elsewhere, cache in the Valkey of this server": (
        {
            "valkey_connection_password": PASSWORD,
            "lago_redis_hostname": "redis.example.com",
            "lago_redis_password": "other",
            "lago_redis_cache_hostname": "{{ valkey_identifier }}",
        },
        {
            "REDIS_URL": "redis://redis.example.com:6379/0",
            "REDIS_PASSWORD": "other",
            "LAGO_REDIS_CACHE_URL": "redis://mash-valkey:6379/1",
            "LAGO_REDIS_CACHE_PASSWORD": PASSWORD,
            "LAGO_REDIS_CABLE_URL": "redis://:other@redis.example.com:6379/2",
        },
    ),
    "somebody else's, with TLS, user and databases": (
        {
            **OWN,
            "lago_redis_port": 6380,
            "lago_redis_username": "lago",
            "lago_redis_password": PASSWORD,
            "lago_redis_tls_enabled": True,
            "lago_redis_database": 3,
            "lago_redis_cache_database": 4,
            "lago_redis_cable_database": 5,
        },
        {
            "REDIS_URL": f"rediss://lago:{ENCODED}@redis.example.com:6380/3",
            "REDIS_PASSWORD": PASSWORD,
            "LAGO_REDIS_CACHE_URL": f"rediss://lago:{ENCODED}@redis.example.com:6380/4",
            "LAGO_REDIS_CACHE_PASSWORD": PASSWORD,
            "LAGO_REDIS_CABLE_URL": f"rediss://lago:{ENCODED}@redis.example.com:6380/5",
        },
    ),
    "sentinels": (
        {**OWN, "lago_redis_sentinels": SENTINELS, "lago_redis_sentinel_master_name": "billing"},
        {
            "REDIS_URL": "redis://redis.example.com:6379/0",
            "LAGO_REDIS_SIDEKIQ_SENTINELS": "one.example.com:26379,two.example.com:26379",
            "LAGO_REDIS_SIDEKIQ_MASTER_NAME": "billing",
            "LAGO_REDIS_CACHE_URL": "redis://redis.example.com:6379/1",
            "LAGO_REDIS_CACHE_SENTINELS": "one.example.com:26379,two.example.com:26379",
            "LAGO_REDIS_CACHE_MASTER_NAME": "billing",
            "LAGO_REDIS_CABLE_URL": "redis://redis.example.com:6379/2",
        },
    ),
    "sentinels for the jobs, a server of its own for the cache": (
        {
            **OWN,
            "lago_redis_sentinels": SENTINELS[:1],
            "lago_redis_cache_hostname": "cache.example.com",
            "lago_redis_cache_sentinels": [],
        },
        {
            "REDIS_URL": "redis://redis.example.com:6379/0",
            "LAGO_REDIS_SIDEKIQ_SENTINELS": "one.example.com:26379",
            "LAGO_REDIS_SIDEKIQ_MASTER_NAME": "master",
            "LAGO_REDIS_CACHE_URL": "redis://cache.example.com:6379/1",
            "LAGO_REDIS_CABLE_URL": "redis://redis.example.com:6379/2",
        },
    ),
}


def services(change):
    return {service["name"]: service for service in VirtualHost(change=change).product("lago").services()}


@pytest.mark.parametrize("name", ROWS)
def test_environment(name):
    change, expected = ROWS[name]
    files = VirtualHost(change=change).rendered("lago")
    for path in ("/mash/lago/api/env", "/mash/lago/migrate/env"):
        values = dict(line.split("=", 1) for line in files[path]["content"].splitlines())
        assert {key: value for key, value in values.items() if "REDIS" in key} == expected


def test_all_processes_have_the_network_and_the_unit_of_the_valkey_that_they_use():
    for change, expected in (
        ({}, True),
        ({"lago_redis_hostname": "redis.example.com", "lago_redis_cache_hostname": "mash-valkey"}, True),
        ({"lago_redis_hostname": "redis.example.com"}, False),
    ):
        for name in PROCESSES:
            service = services(change)[name]
            assert ("mash-valkey" in service["networks"]) is expected, (name, change)
            assert ("mash-valkey.service" in service["needs"]) is expected, (name, change)


def test_all_processes_have_the_network_and_the_unit_of_a_second_valkey_that_the_user_names():
    change = {
        "lago_redis_cache_hostname": "mash-cache-valkey",
        "lago_api_container_additional_networks_custom": ["mash-cache-valkey"],
        "lago_api_systemd_required_services_list_custom": ["mash-cache-valkey.service"],
    }
    for name in PROCESSES:
        service = services(change)[name]
        assert {"mash-valkey", "mash-cache-valkey"} <= set(service["networks"])
        assert {"mash-valkey.service", "mash-cache-valkey.service"} <= set(service["needs"])


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({}, "established 6379"),
        ({**OWN, "lago_redis_port": 6390}, "established 6390"),
        ({**OWN, "lago_redis_sentinels": SENTINELS}, "established except 5432"),
    ],
)
def test_the_clock_is_ready_when_it_is_connected(change, expected):
    assert services(change)["mash-lago-api-clock"]["ready"] == expected
