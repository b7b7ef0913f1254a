# SPDX-FileCopyrightText: 2026 The selfhosting.lago authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""What can be reached from outside: ports, paths, how often, and with which headers."""

import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import yaml
from verify import inside, ports
from verify.malformed import PRIVATE
from verify.plays import REPOSITORY
from verify.waiting import eventually

FACTS = yaml.safe_load((REPOSITORY / "roles/lago/vars/main/main.yml").read_text())
DEFAULTS = yaml.safe_load((REPOSITORY / "roles/lago/defaults/main.yml").read_text())
QUERY = {"query": "{ __typename }"}
LEGACY = "/api"
# A path of each kind of which something lies below, and one beside it.
WORDS = [
    "",
    "x",
    "v1",
    "v1/",
    "v1/organizations",
    "v2/",
    "graphql",
    "graphql/",
    "graphql/x",
    "graphqlx",
    "cable",
    "cable/",
]
WORDS += [
    "cablex",
    "webhooks",
    "webhooks/",
    "webhooks/stripe/1",
    "rails",
    "rails/",
    "rails/info",
    "rails/active_storage",
]
WORDS += [
    "rails/active_storage/",
    "rails/active_storage/disk/x",
    "rails/conductor",
    "api",
    "api/",
    "api/v1/",
    "sidekiq",
]
WORDS += [
    "up",
    "admin",
    "admin/",
    "admin/x",
    "karafka",
    "karafka/x",
    "metrics/x",
    "sidekiq/x",
    "data_api/x",
    "env",
    "v1/../..",
]
WORDS += PRIVATE
SETTINGS = yaml.safe_load((Path(__file__).parents[1] / "host_vars" / "hardening.yml").read_text())
# Requests of the web interface's busiest page as it opens.
PAGE = FACTS["lago_front_requests"]["frame"] + max(FACTS["lago_front_requests"]["pages"].values())
BURST = SETTINGS["lago_api_graphql_rate_limit_burst"]
AVERAGE = SETTINGS["lago_api_graphql_rate_limit_average"]


@pytest.fixture(scope="module", autouse=True)
def whole_limit():
    """Nobody sees how much of the limit is left without using some of it: after this time it is all of it."""
    time.sleep(BURST / AVERAGE)


def is_listed(path: str) -> bool:
    """By the list that is data; the prefix of older installations may stand before each."""
    bare = path.removeprefix(LEGACY) if path.startswith(f"{LEGACY}/") else ""
    return any(
        (one.startswith(entry["path"]) if entry["match"] == "prefix" else one == entry["path"])
        for entry in FACTS["lago_public_paths"]
        for one in (path, bare)
    )


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_exactly_the_listed_paths_reach_lago(site, method):
    paths = sorted({f"{start}/{word}" for start in ("", "/api", "/api/api", "/v1", "/rails") for word in WORDS})
    expected = {path for path in paths if is_listed(path)}
    if method != "GET":
        expected = {path for path in expected if "/rails/" not in path}
    # What is cleaned up on the way is another path when it is looked up.
    paths = [path for path in paths if ".." not in path]
    with ThreadPoolExecutor(4) as threads:
        answers = dict(zip(paths, threads.map(lambda path: site.request(method, path), paths), strict=True))
    limited = {path for path, answer in answers.items() if answer.status == 429}
    assert limited == set()
    assert {path for path, answer in answers.items() if answer.from_lago} == {
        path for path in expected if ".." not in path
    }


def test_published_ports(host):
    """Traefik's, and of the server itself SSH; the default scenario looks at all TCP ports from outside."""
    assert ports.listening(host, "tcp") == {22, 80, 443}
    assert ports.listening(host, "udp") == {443}
    published = {
        (name, inner, one["HostPort"])
        for name, container in inside.containers(host).items()
        for inner, outer in container["NetworkSettings"]["Ports"].items()
        for one in outer or []
    }
    assert published == {
        ("mash-traefik", "8080/tcp", "80"),
        ("mash-traefik", "8443/tcp", "443"),
        ("mash-traefik", "8443/udp", "443"),
    }


def test_closed_ports_from_outside(server):
    """Those on which something listens inside a container."""
    for port in (2375, 3000, 5432, 6379, 7777, 7778, 8080, 8082, 8443):
        assert not ports.is_open(server.address, port), port


def test_http3_is_offered(site, server):
    assert 'h3=":443"' in site.get("/").headers["alt-svc"]
    # RFC 9000: version 1.
    assert 1 in ports.quic_versions(server.address, 443)


@pytest.mark.parametrize("path", ["/", "/customers/1", "/env-config.js", "/api/v1/organizations", "/graphql"])
def test_headers(site, path):
    headers = site.get(path).headers
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["strict-transport-security"] == "max-age=31536000"
    assert headers["permissions-policy"] == "interest-cohort=()"
    assert "server" not in headers or "/" not in headers["server"] or path in ("/", "/customers/1", "/env-config.js")
    policy = headers.get_all("content-security-policy")
    if path.startswith(("/api", "/graphql")):
        assert policy == ["frame-ancestors 'self'"]
    else:
        # The stand-in's own policy, with another list of who may frame it.
        assert policy == ["default-src 'self'; script-src 'self' 'wasm-unsafe-eval'; frame-ancestors 'self'"]


def test_the_busiest_page_is_not_limited(site):
    """Neither at this scenario's limit, which is far below the default."""
    assert DEFAULTS["lago_api_graphql_rate_limit_burst"] > BURST
    with ThreadPoolExecutor(PAGE) as threads:
        page = list(threads.map(lambda _number: site.post("/graphql", QUERY).status, range(PAGE)))
    assert page == [200] * PAGE


def test_the_rate_limit_of_graphql(site):
    """More requests at once than the scenario's limit, of one address and over both spellings."""
    paths = ["/graphql", "/api/graphql"] * (2 * BURST)
    start = time.monotonic()
    # Whoever says to be another address is none: there is no trusted proxy.
    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(lambda path: fire(site, path), paths))
    duration = time.monotonic() - start
    refused = {path for path, status in answers if status == 429}
    assert refused == {"/graphql", "/api/graphql"}, f"{len(paths)} requests in {duration:.0f} s"
    passed = [status for _path, status in answers if status != 429]
    assert BURST // 2 <= len(passed) <= BURST + AVERAGE * duration + 1
    # Nothing but this is limited, and not for long.
    assert site.get("/api/v1/organizations", Authorization=site.authorization).status == 200
    assert site.post_event().status == 200
    eventually(lambda: site.post("/graphql", QUERY).status == 200)


def fire(site, path):
    return path, site.post(path, b"{}", X_Forwarded_For=str(uuid.uuid4()), X_Real_Ip="198.51.100.1").status
