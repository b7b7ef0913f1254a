# SPDX-FileCopyrightText: 2026 The selfhosting.lago authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""What is rehearsed is the way that an upgrade would go."""

import pytest
from ansible.errors import AnsibleActionFail
from ansible_collections.selfhosting.lago.plugins.action import rehearsal
from virtual_host import VirtualHost


@pytest.fixture
def way(monkeypatch):
    monkeypatch.setattr(rehearsal.display, "display", lambda _text: None)

    def way(present, wanted=""):
        host = VirtualHost(server={"lago": {"version": present}})
        return host.action(rehearsal, {"server": host.server, "version": wanted}).run(None, host.variables)

    return way


def test_each_release_on_the_way_has_its_image_migration_and_tasks(way):
    result = way("v1.50.0", "v1.52.1")
    assert result["hops"][-1]["version"] == "v1.52.1"
    for hop in result["hops"]:
        assert hop["image"].endswith(f"getlago/api:{hop['version']}")
        assert "upgrade:perform_required_jobs" in [task["name"] for task in hop["tasks"]]
        assert {"name", "environment", "endless"} <= hop["tasks"][0].keys()
    assert result["hops"][-1]["command"] == ["./scripts/migrate.sh"]
    assert result["images"] == [{"reference": hop["image"]} for hop in result["hops"]]
    assert len(way("v1.41.0", "v1.52.1")["hops"]) > len(result["hops"]), "the mandatory stops"


def test_nothing_to_rehearse(way):
    assert way("v1.52.1")["hops"] == []


def test_no_way(way):
    with pytest.raises(AnsibleActionFail, match="older Lago cannot work"):
        way("v1.52.1", "v1.50.0")
