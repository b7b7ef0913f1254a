# SPDX-FileCopyrightText: 2026 The selfhosting.lago authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Lago and the Valkey that it uses: connected where nothing is said, and by the lines that MASH users write."""

import pytest
from virtual_host import VirtualHost

SHARED = {
    "lago_redis_hostname": "{{ valkey_identifier }}",
    "lago_api_systemd_required_services_list_custom": ["{{ valkey_identifier }}.service"],
    "lago_api_container_additional_networks_custom": ["{{ valkey_identifier }}"],
}
DEDICATED = {
    "valkey_enabled": False,
    "lago_redis_hostname": "mash-lago-valkey",
    "lago_api_systemd_required_services_list_custom": ["mash-lago-valkey.service"],
    "lago_api_container_additional_networks_custom": ["mash-lago-valkey"],
}
PROCESSES = ("mash-lago-api", "mash-lago-api-worker", "mash-lago-api-clock", "mash-lago-migrate")
FILES = {"mash-lago-migrate": "/mash/lago/migrate/env"}


def contents(change=None):
    return {path: file["content"] for path, file in VirtualHost(change=change).rendered("lago").items()}


def test_the_lines_of_mash_say_what_holds_without_them():
    without, with_lines = contents(), contents(SHARED)
    assert {path for path in without if without[path] != with_lines.get(path)} == set()
    assert without.keys() == with_lines.keys()


@pytest.mark.parametrize(("change", "valkey"), [({}, "mash-valkey"), (DEDICATED, "mash-lago-valkey")])
@pytest.mark.parametrize("process", PROCESSES)
def test_each_process_is_in_its_network_and_starts_after_it(change, valkey, process):
    files = contents(change)
    lines = files[f"/etc/systemd/system/{process}.service"].splitlines()
    for line in (f"Wants={valkey}.service", f"After={valkey}.service"):
        assert lines.count(line) == 1
    assert "\n".join(lines).count(f"docker network connect {valkey} {process}") == 1
    environment = files[FILES.get(process, "/mash/lago/api/env")].splitlines()
    for name in ("REDIS_URL", "LAGO_REDIS_CACHE_URL", "LAGO_REDIS_CABLE_URL"):
        (url,) = [line for line in environment if line.startswith(f"{name}=")]
        assert f"{valkey}:6379/" in url
