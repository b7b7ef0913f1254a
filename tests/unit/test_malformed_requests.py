# SPDX-FileCopyrightText: 2026 The selfhosting.lago authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""The malformed requests of molecule/hardening: made from a seed, and what tells that one found a way."""

import sys
from collections import Counter

import pytest
import yaml
from virtual_host import REPOSITORY

sys.path.insert(0, str(REPOSITORY / "molecule"))
from verify import attack
from verify.malformed import Maker

PUBLIC = yaml.safe_load((REPOSITORY / "roles/lago/vars/main/main.yml").read_text())["lago_public_paths"]
LOG = """
[1a-2b] Started GET "/api/v1/organizations?x=1" for ::ffff:172.17.0.1 at 2026-11-25 15:40:45 +0000
[1a-2b] Processing by Api::V1::OrganizationsController#show as HTML
[3c-4d] Started GET "/health" for ::ffff:172.18.0.2 at 2026-11-25 15:40:45 +0000
[3c-4d] Processing by ApplicationController#health as HTML
[7a-8b] Started POST "/cable"[non-WebSocket] for ::ffff:172.17.0.1 at 2026-11-25 15:40:45 +0000
[5e-6f] Started GET "/metrics" for 172.17.0.1 at 2026-11-25 15:40:45 +0000
[5e-6f] Processing by MetricsController#show as HTML
"""


def test_the_same_seed_makes_the_same_requests():
    first, second, other = (list(Maker(seed, "lago.example.com").requests(500)) for seed in (1, 1, 2))
    assert first == second != other
    assert len({request.payload for request in first}) > 450


def test_every_kind_is_among_them():
    maker = Maker(1, "lago.example.com")
    kinds = Counter(request.kind for request in maker.requests(1000))
    assert set(kinds) == set(maker.kinds)
    assert kinds["oversize"] == 10
    assert min(kinds[kind] for kind in maker.kinds if kind != "oversize") > 100


@pytest.mark.parametrize(
    ("path", "public"),
    [
        ("/api/v1/events", True),
        ("/api/v1/..%2f..%2fmetrics", True),  # Rails takes it for a code
        ("/graphql?x=/../metrics", True),
        ("/graphql/x", False),
        ("/metrics", False),
        ("/api/v1/../../metrics", False),
        ("/rails/active_storage/..", False),
        ("//api/v1/events", False),
    ],
)
def test_what_counts_as_public(path, public):
    assert attack.is_public(path, PUBLIC) == public


def test_a_private_page_would_be_noticed():
    paths, controllers = attack.seen_by_lago(LOG)
    assert paths == ["/api/v1/organizations?x=1", "/cable", "/metrics"]
    assert [path for path in paths if not attack.is_public(path, PUBLIC)] == ["/metrics"]
    assert controllers[1].startswith(attack.PRIVATE_CONTROLLERS)
    assert not controllers[0].startswith(attack.PRIVATE_CONTROLLERS)
