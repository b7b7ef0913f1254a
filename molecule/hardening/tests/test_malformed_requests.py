# SPDX-FileCopyrightText: 2026 The selfhosting.lago authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Thousands of malformed requests: none comes to Lago on a path that is not public, and all goes on.

Seed and number can be chosen: MALFORMED_SEED=7 MALFORMED_COUNT=100000 molecule verify -s hardening
"""

import os
import time

import yaml
from verify import attack, inside
from verify.malformed import Maker
from verify.plays import REPOSITORY
from verify.waiting import eventually

SEED = int(os.environ.get("MALFORMED_SEED", "20261125"))
COUNT = int(os.environ.get("MALFORMED_COUNT", "10000"))
PUBLIC = yaml.safe_load((REPOSITORY / "roles/lago/vars/main/main.yml").read_text())["lago_public_paths"]


def test_no_malformed_request_finds_a_way(host, site, capsys):
    mark = f"/api/v1/organizations?mark={SEED}-{time.time_ns()}"
    before = inside.invocations(host)
    since = host.check_output("date +%s.%N")
    assert site.get(mark).status == 401

    start = time.monotonic()
    outcome = attack.send(site, Maker(SEED, site.hostname).requests(COUNT))
    duration = time.monotonic() - start
    log = eventually(lambda: journal(host, since), seconds=30)
    paths, controllers = attack.seen_by_lago(log)
    with capsys.disabled():
        print(f"\n{outcome.sent} requests with seed {SEED} in {duration:.0f} s, {len(paths)} of them came to Lago")
        print(", ".join(f"{what}: {number}" for what, number in sorted(outcome.answers.items())))

    assert outcome.sent == COUNT
    # Without this line the log says nothing of what Lago saw.
    assert mark in paths
    assert len(paths) > COUNT // 50
    assert outcome.leaks == []
    assert [path for path in paths if not attack.is_public(path, PUBLIC)] == []
    assert [name for name in controllers if name.startswith(attack.PRIVATE_CONTROLLERS)] == []
    # All that was sent was answered or refused: no kind was lost altogether.
    kinds = {what.split()[0] for what in outcome.answers if what.split()[1].isdigit()}
    assert kinds == set(Maker(SEED, "").kinds)

    assert site.get("/").status == 200
    assert eventually(lambda: site.post_event().status == 200)
    assert eventually(lambda: site.post("/graphql", {"query": "{ __typename }"}).status == 200)
    assert inside.all_active(host)
    assert inside.invocations(host) == before


def journal(host, since: str) -> str:
    """As text; what is none is shown as a dot."""
    lines = f"journalctl --unit=mash-lago-api --output=cat --no-pager --since=@{since}"
    return host.check_output(lines + r" | tr '\000-\010\013-\037\177-\377' .")
