# SPDX-FileCopyrightText: 2026 The selfhosting.lago authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""The list of images, and the parts of the test bed that decide without Docker."""

from __future__ import annotations

import ipaddress
import sys
from pathlib import Path

import pytest
import yaml

REPOSITORY = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(REPOSITORY / "molecule"))

from testbed import catalogue, images, registry, servers  # noqa: E402
from testbed.shell import TestbedError  # noqa: E402


def test_a_base_stands_before_what_is_built_on_it() -> None:
    known: set[str] = set()
    for image in catalogue.load():
        assert image.base.startswith(catalogue.DEBIAN) or image.base in known, image.name
        known.add(image.local_name)


def test_every_contract_has_a_stand_in() -> None:
    contracts = yaml.safe_load((REPOSITORY / "tests" / "image-contracts.yml").read_text())["contracts"]
    known = {image.name for image in catalogue.load()}
    for contract in contracts.values():
        assert contract["image"].format(**catalogue.versions()).removeprefix("docker.io/") in known


def test_a_mirror_of_docker_hub_is_asked_for_official_images_below_library() -> None:
    base = {"context": Path("c"), "base": "b"}
    assert catalogue.Image("traefik:v3", **base).repository == "library/traefik"
    assert catalogue.Image("getlago/api:v1", **base).repository == "getlago/api"
    assert not catalogue.Image("selfhosting-test/server:trixie", **base).published


def test_versions_that_are_the_same_are_one_image() -> None:
    pinned = catalogue.versions()["lago"]
    entry = {"name": "a:{version}", "context": "c", "versions": [pinned, "{lago}", "v0"]}
    assert [image.name for image in catalogue.expand(entry)] == [f"a:{pinned}", "a:v0"]


def test_further_versions_wait_for_the_first() -> None:
    order = images.in_order(catalogue.load())
    seen: list[str] = []
    for image, first in order:
        assert first is None or first.name in seen
        seen.append(image.name)
    assert len(seen) == len(catalogue.load())


@pytest.mark.parametrize("text", ["debian12", "debian12=bullseye", "=trixie-slim"])
def test_a_wrong_server_is_refused(text: str) -> None:
    with pytest.raises(TestbedError, match="NAME=RELEASE"):
        servers.Wanted.parse(text)


def test_a_subnet_in_use_is_not_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        registry, "routes", lambda: [ipaddress.ip_network(net) for net in ("0.0.0.0/0", "10.213.0.0/16")]
    )
    assert registry.overlaps_a_route(ipaddress.ip_network("10.213.77.0/24"))
    assert not registry.overlaps_a_route(ipaddress.ip_network("10.214.77.0/24"))
