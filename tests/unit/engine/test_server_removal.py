# SPDX-FileCopyrightText: 2026 The selfhosting.lago authors
# SPDX-License-Identifier: AGPL-3.0-or-later
from types import SimpleNamespace

import pytest
from ansible_collections.selfhosting.lago.plugins.module_utils import removal
from ansible_collections.selfhosting.lago.plugins.modules import server_removal

IMAGES = {"a:1": "sha256:a", "b:1": "sha256:b", "base:17": "sha256:base"}
CONTAINERS = {
    "mash-a": {"state": "running", "image_id": "sha256:a", "networks": ["own", "shared"]},
    "other": {"state": "exited", "image_id": "sha256:b", "networks": ["shared"]},
}
OWN = {"units": ["mash-a.service", "mash-a.timer"], "networks": ["own", "shared"], "images": ["docker.io/a:1", "b:1"]}


@pytest.fixture
def units(tmp_path):
    for name in ("mash-a.service", "mash-a.timer"):
        (tmp_path / name).write_text("--network=own docker.io/a:1")
    return tmp_path


@pytest.fixture
def remove(monkeypatch, commands, run_module, units):
    """Runs the module on an invented server; returns its answer and the commands."""

    def run(check_mode=False, docker=True, **arguments):
        asked = commands(server_removal)
        fake = SimpleNamespace(
            networks=lambda: dict.fromkeys(["own", "shared", "far"]),
            image_ids=lambda: IMAGES,
            containers=lambda: CONTAINERS,
        )
        monkeypatch.setattr(server_removal, "Docker", lambda: fake)
        monkeypatch.setattr(server_removal, "docker_is_running", lambda: docker)
        monkeypatch.setattr(server_removal, "UNIT_DIRECTORY", str(units))
        monkeypatch.setattr(server_removal, "other_units", lambda leaving: removal.other_units(leaving, str(units)))
        monkeypatch.setattr(server_removal, "show_units", lambda names: {name: {} for name in names})
        return run_module(server_removal, check_mode, **arguments), asked

    return run


def test_what_others_use_stays(remove, units):
    answer, asked = remove(**OWN)
    assert (answer["networks"], answer["images"]) == (["own"], ["docker.io/a:1"])
    assert asked == [
        "systemctl disable --now -- mash-a.service mash-a.timer",
        "docker rm --force mash-a",
        "docker network rm own",
        "docker image rm docker.io/a:1",
        "systemctl daemon-reload",
        "systemctl reset-failed -- mash-a.service mash-a.timer",
    ]
    assert list(units.iterdir()) == []


@pytest.mark.parametrize("how", [{"check_mode": True}, {"announce": True}])
def test_what_is_announced_is_what_is_done(remove, units, how):
    announced, asked = remove(**how, **OWN)
    assert asked == []
    assert len(list(units.iterdir())) == 2
    done, _asked = remove(**OWN)
    assert {**announced, "invocation": {}} == {**done, "invocation": {}}


def test_a_call_that_died_is_completed(remove, units):
    """The unit files go last: by them the next run finds what is left."""
    (units / "mash-a.service").unlink()
    answer, _asked = remove(**OWN)
    assert answer["units"].keys() == {"mash-a.timer"}
    assert remove(**{**OWN, "networks": [], "images": []})[0]["changed"] is False


def test_without_docker_units_go(remove):
    answer, asked = remove(docker=False, **OWN)
    assert answer["units"].keys() == {"mash-a.service", "mash-a.timer"}
    assert not [line for line in asked if line.startswith("docker")]


def test_files_and_data(remove, tmp_path):
    data, file = tmp_path / "data", tmp_path / "file"
    (data / "deep").mkdir(parents=True)
    file.touch()
    answer, _asked = remove(units=[], files=[str(file), str(tmp_path / "gone")])
    assert (answer["files"], file.exists(), data.exists()) == ([str(file)], False, True)
    assert remove(units=[], data=[str(data)])[0]["data"] == [str(data)]
    assert not data.exists()


@pytest.mark.parametrize(
    "text", ["--network=own \\", "--network own \\", "docker network connect own mash-b", "--net=own x"]
)
def test_a_network_that_a_unit_names_stays(text):
    assert removal.unused_networks(["own"], ["own"], [], text) == []


@pytest.mark.parametrize("text", ["--network=own-2 x", "--network=my-own x", "source=/mash/own", "After=own.service"])
def test_a_network_of_a_similar_name_does_not_keep_it(text):
    assert removal.unused_networks(["own"], ["own"], [], text) == ["own"]


@pytest.mark.parametrize(
    ("text", "unused"),
    [
        ("    docker.io/a:1 \\", False),
        ("Image=docker.io/a:1\n", False),
        ("docker.io/a:1.2", True),
        ("x/docker.io/a:1", True),
    ],
)
def test_images_that_units_name(text, unused):
    assert removal.unused_images(["docker.io/a:1"], IMAGES, [], text) == (["docker.io/a:1"] if unused else [])
