# SPDX-FileCopyrightText: 2026 The selfhosting.lago authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""While the API is away, its clients hear 503 and when to try again; the front end never answers for it."""

import pytest
from verify import inside
from verify.waiting import eventually

API = "mash-lago-api.service"
PUBLIC = [
    ("POST", "/api/v1/events"),
    ("GET", "/api/v1/organizations"),
    ("DELETE", "/api/v1/customers/1"),
    ("POST", "/graphql"),
    ("GET", "/cable"),
    ("POST", "/webhooks/stripe/1"),
    ("GET", "/rails/active_storage/disk/x"),
    ("HEAD", "/rails/active_storage/disk/x"),
]


def unavailable(answer) -> bool:
    return answer.status == 503 and int(answer.headers.get("retry-after", 0)) > 0


def accepted(answer) -> bool:
    return answer.status == 200 and answer.from_lago


def nothing_else(answers) -> None:
    assert [str(answer) for answer in answers if not unavailable(answer) and not accepted(answer)] == []


def newest(answers, kind, count=3):
    """The last few are of this kind."""
    return len(answers) >= count and all(map(kind, answers[-count:]))


@pytest.fixture
def api_afterwards(host):
    yield
    host.run("docker unpause mash-lago-api")
    host.check_output("systemctl start %s", API)


@pytest.mark.usefixtures("api_afterwards")
def test_stopped_and_starting(host, site):
    with site.watched() as answers:
        eventually(lambda: newest(answers, accepted))
        host.check_output("systemctl stop %s", API)
        eventually(lambda: newest(answers, unavailable))
        for prefix in ("", "/api"):
            wrong = [(method, path) for method, path in PUBLIC if not unavailable(site.request(method, prefix + path))]
            assert wrong == []
        assert site.get("/").status == 200

        host.check_output("systemctl start --no-block %s", API)
        eventually(lambda: "mash-lago-api" in host.check_output("docker ps --format '{{.Names}}'").split())
        # The container runs and Lago in it does not answer yet.
        before = len(answers)
        eventually(lambda: len(answers) >= before + 5)
        assert host.run("systemctl is-active %s", API).stdout.strip() == "activating"
        assert newest(answers, unavailable, 5)
        eventually(lambda: newest(answers, accepted), seconds=90)
    nothing_else(answers)
    eventually(lambda: inside.all_active(host))


@pytest.mark.usefixtures("api_afterwards")
def test_unhealthy(host, site):
    """Paused, it accepts connections and answers none of them: Traefik's own probe finds out."""
    with site.watched() as answers:
        eventually(lambda: newest(answers, accepted))
        host.check_output("docker pause mash-lago-api")
        eventually(lambda: newest(answers, unavailable))
        host.check_output("docker unpause mash-lago-api")
        eventually(lambda: newest(answers, accepted))
    nothing_else(answers)
