# SPDX-FileCopyrightText: 2026 The selfhosting.lago authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Sidekiq's pages and the metrics: closed by default, open for users with a password, and only at one address."""

import base64

import pytest
from verify import inside, plays
from verify.waiting import eventually

METRICS = "/metrics/mash-lago-api"
# htpasswd -nbB -C 5 admin right
USER = "admin:$2b$05$PYoUt8qPQ1OzCOxN8QaQUOj1gF5Eam.vo7orIEA8rTzFV.oYLOqx6"
ON = {
    "lago_api_admin_sidekiq_enabled": True,
    "lago_api_admin_users": [USER],
    "mash_playbook_metrics_exposure_enabled": True,
    "mash_playbook_metrics_exposure_http_basic_auth_enabled": True,
    "mash_playbook_metrics_exposure_http_basic_auth_users": USER,
}
SPELLINGS = [
    "/api{0}",
    "/api/api{0}",
    "/api/v1{0}",
    "/api/v1/..{0}",
    "/api/v1/../..{0}",
    "//api{0}",
    "/API{0}",
    "{0}%2f..",
]
SPELLINGS += ["/webhooks/..%2f..{0}", "/.{0}.", "{0}x"]


def credentials(password: str) -> str:
    return "Basic " + base64.b64encode(f"admin:{password}".encode()).decode()


@pytest.fixture(scope="module")
def switched_on(host, request):
    name = host.backend.get_pytest_id().rpartition("://")[2]
    return plays.play(name, **ON)


def test_off_by_default(site):
    for path in ("/sidekiq", "/sidekiq/", "/sidekiq/queues", "/metrics", METRICS):
        answer = site.get(path, Authorization=credentials("right"))
        assert (answer.status, answer.from_lago) == (404, False), path


def test_without_users_it_is_refused(server):
    done = plays.attempt(server.name, lago_api_admin_sidekiq_enabled=True, mash_playbook_metrics_exposure_enabled=True)
    assert done.returncode != 0
    text = done.stdout + done.stderr
    assert "Sidekiq's pages need users" in text
    assert "Metrics are not published without a password" in text


@pytest.mark.parametrize(
    ("path", "content"), [("/sidekiq", b"Sidekiq"), ("/sidekiq/queues", b"Sidekiq"), (METRICS, b"lago_info{")]
)
def test_on_with_a_password(host, site, switched_on, path, content):
    # Traefik reads the routes while it runs.
    assert switched_on.units == {}
    eventually(lambda: site.get(path).status == 401)
    assert site.get(path, Authorization=credentials("wrong")).status == 401
    assert "lago" in site.get(path).headers["www-authenticate"]
    answer = site.get(path, Authorization=credentials("right"))
    assert (answer.status, content in answer.body) == (200, True)
    for spelling in SPELLINGS:
        # With dots it is the same path once it is cleaned up, and asks for the same password.
        for headers in [{}, *([{"Authorization": credentials("right")}] if ".." not in spelling else [])]:
            answer = site.get(spelling.format(path), **headers)
            assert content not in answer.body, spelling.format(path)
            assert answer.status != 200 or not answer.from_lago, spelling.format(path)
    assert "$2b$" not in host.check_output("cat /mash/lago/api/labels /mash/traefik/labels 2>/dev/null || true")
    assert host.file("/mash/traefik/config/dynamic/mash-lago.yml").mode == 0o640


def test_off_again(site, host, switched_on):
    """The last of them, which leaves the server as it was: switching off closes what was open."""
    eventually(lambda: site.get("/sidekiq").status == 401)
    name = host.backend.get_pytest_id().rpartition("://")[2]
    assert plays.play(name).units == {}
    for path in ("/sidekiq", METRICS):
        eventually(lambda path=path: site.get(path, Authorization=credentials("right")).status == 404)
    assert inside.all_active(host)
