# SPDX-FileCopyrightText: 2026 The selfhosting.lago authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""The stops of an upgrade, and that the release on a server is kept."""

import pytest
import yaml
from ansible_collections.selfhosting.lago.plugins.plugin_utils.versions import lago_version, stops_between
from virtual_host import REPOSITORY, VirtualHost

DATA = yaml.safe_load((REPOSITORY / "roles/lago/vars/main/upgrade_stops.yml").read_text())
STOPS = DATA["lago_upgrade_stops"]


def test_the_list_is_in_order():
    numbers = [(lago_version(stop["at"]), lago_version(stop["before"])) for stop in STOPS]
    assert numbers == sorted(numbers)
    assert all(at < before for at, before in numbers)
    assert all({"at", "before", "task", "rails"} <= set(stop) for stop in STOPS)
    assert all(set(stop) <= {"at", "before", "task", "rails", "by_hand", "endless"} for stop in STOPS)
    known = yaml.safe_load((REPOSITORY / "roles/lago/vars/main/main.yml").read_text())["lago_version_highest"]
    assert numbers[-1][0][:2] == lago_version(known)[:2], "the newest known release was not looked at"


@pytest.mark.parametrize(
    ("present", "wanted", "expected"),
    [
        ("", "v1.52.1", []),
        ("v1.52.1", "v1.52.1", []),
        ("v1.31.0", "v1.32.0", []),
        ("v1.31.0", "v1.32.5", []),
        ("v1.31.0", "v1.33.0", ["v1.32.0"]),
        ("v1.32.0", "v1.33.0", []),
        ("v1.31.0", "v1.52.1", ["v1.32.0", "v1.42.0", "v1.44.0", "v1.45.0", "v1.50.0"]),
        ("v1.51.0", "v1.52.1", []),
        ("v1.51.0", "v1.53.0", ["v1.52.0"]),
        ("v1.52.3", "v1.53.0", []),
        ("v1.24.0", "v1.25.1", ["v1.25.0"]),
    ],
)
def test_stops_between(present, wanted, expected):
    assert [stop["at"] for stop in stops_between(STOPS, present, wanted)] == expected


@pytest.mark.parametrize(
    ("change", "present", "expected"),
    [({}, "", "v1.52.1"), ({}, "v1.31.0", "v1.31.0"), ({"lago_version": "v1.52.1"}, "v1.51.0", "v1.52.1")],
)
def test_the_version_on_the_server_is_kept(change, present, expected):
    host = VirtualHost(change=change, server={"lago": {"version": present}})
    assert host.product("lago").variable("lago_version") == expected
    images = {service["image"] for service in host.product("lago").services() if "/getlago/api" in service["image"]}
    assert images == {f"docker.io/getlago/api:{expected}"}
