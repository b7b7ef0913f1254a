# SPDX-FileCopyrightText: 2026 The selfhosting.lago authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""What may start before the migration has succeeded with an image: nothing of it."""

import importlib.util
import json

import pytest
from ansible_collections.selfhosting.lago.plugins.module_utils import engine
from ansible_collections.selfhosting.lago.plugins.modules import server_units
from virtual_host import REPOSITORY, VirtualHost

API = "docker.io/getlago/api:v1.52.1"
CREATE = ["/usr/bin/docker", "create", "--name=mash-a", API, "./start.sh"]


@pytest.fixture
def gated(monkeypatch):
    path = REPOSITORY / "plugins" / "plugin_utils" / "files" / "container-gated.py"
    specification = importlib.util.spec_from_file_location("container_gated", path)
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    module.executed = []
    monkeypatch.setattr(module.os, "execv", lambda _path, command: module.executed.append(command))
    return module


@pytest.mark.parametrize(
    ("record", "images", "started"),
    [
        ({"image": API, "image_id": "sha256:1"}, {API: "sha256:1"}, API),
        # Pulled anew: what the migration ran with goes on.
        ({"image": API, "image_id": "sha256:1"}, {API: "sha256:2", "sha256:1": "sha256:1"}, "sha256:1"),
        ({"image": API, "image_id": "sha256:1"}, {"sha256:1": "sha256:1"}, "sha256:1"),
        # And where that is gone, nothing does.
        ({"image": API, "image_id": "sha256:1"}, {API: "sha256:2"}, None),
        # A run that ended between the migration and the change of the units.
        ({"image": "docker.io/getlago/api:v1.53.0", "image_id": "sha256:3"}, {API: "sha256:1"}, API),
        ({}, {API: "sha256:1"}, API),
    ],
)
def test_which_image_starts(gated, monkeypatch, tmp_path, capsys, record, images, started):
    monkeypatch.setattr(gated, "image_id", lambda reference: images.get(reference, ""))
    path = tmp_path / "mash-lago-migrate.json"
    if record:
        path.write_text(json.dumps(record))
    ended = gated.main([str(path), API, *CREATE])
    if started:
        assert gated.executed == [[*CREATE[:3], started, "./start.sh"]]
    else:
        assert (ended, gated.executed) == (1, [])
        assert "Run the playbook: it begins with the migration." in capsys.readouterr().err


@pytest.mark.parametrize(
    ("record", "expected"),
    [
        ({"image": API, "image_id": "sha256:1"}, True),
        ({"image": API, "image_id": "sha256:2"}, False),
        ({"image": "other", "image_id": "sha256:1"}, False),
        (None, False),
    ],
)
def test_a_tag_that_was_pulled_anew(monkeypatch, tmp_path, record, expected):
    path = tmp_path / "records" / "migrate.json"
    path.parent.mkdir()
    if record:
        path.write_text(json.dumps(record))
    monkeypatch.setattr(engine, "UNIT_DIRECTORY", str(tmp_path))
    text = f"[X-SelfHosting]\nProduct=mash-lago\nImage={API}\nGate={path}\n"
    (tmp_path / "mash-a.service").write_text(text)
    images = {engine.normal_reference(API): "sha256:2"}
    assert engine._awaits_gate("mash-a.service", API, images) is expected


def test_only_the_playbook_takes_it_through_the_gate():
    """A mere start would bring back the image that runs already."""
    up = {"active": True, "enabled": True, "state": "active/running", "stale": [f"{API}{engine.OTHER_IMAGE}"]}
    assert server_units.wanted_changes({"a": {**up, "awaits_gate": True}}) == {}
    assert server_units.wanted_changes({"a": {**up, "awaits_gate": False}}) != {}
    both = {**up, "stale": [*up["stale"], "/mash/env changed"], "awaits_gate": True}
    assert server_units.wanted_changes({"a": both}) == {"a": {"action": "restart", "reasons": ["/mash/env changed"]}}


def test_all_processes_of_the_api_s_image_have_the_gate():
    services = VirtualHost(change={"lago_workers": [{"kind": "events"}]}).product("lago").services()
    processes = [one for one in services if one["image"] == API and one["kind"] == "service"]
    assert len(processes) == 4
    assert {one["gate"] for one in processes} == {"mash-lago-migrate"}
