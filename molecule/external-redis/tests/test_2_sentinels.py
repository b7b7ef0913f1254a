# SPDX-FileCopyrightText: 2026 The selfhosting.lago authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Three sentinels, a master that dies while jobs are queued, and a replica that takes over."""

import pytest
from verify import inside, queue
from verify.waiting import eventually

LAGO = {f"mash-lago-{name}.service" for name in ("api", "api-worker", "api-clock")}
BEFORE, AFTER = 200, 50


@pytest.fixture
def master(host, password) -> queue.Valkey:
    return queue.Valkey(host, "redis-1", password, database=3)


@pytest.fixture
def replica(host, password) -> queue.Valkey:
    return queue.Valkey(host, "redis-2", password, database=3)


def address_of_the_master(host) -> str:
    sentinel = queue.Valkey(host, "sentinel-1", options=["-p", "26379"])
    return sentinel.ask("sentinel", "get-master-addr-by-name", "billing").split()[0]


def wallet_refreshes(host) -> int:
    return int(inside.sql(host, "SELECT count(*) FROM clock_ticks WHERE event = 'schedule:refresh_wallets'"))


def test_a_run_moves_lago_there(host, play, client, host_values, master):
    before = wallet_refreshes(host)
    assert set(play(**host_values["testbed_sentinels"]).units) == LAGO
    assert inside.all_active(host)
    host.check_output("systemctl stop %s", queue.WORKER)
    sent = queue.send(client, 5)
    assert master.queued() >= 5
    host.check_output("systemctl start %s", queue.WORKER)
    queue.all_processed(host, sent)
    # A clock that starts does this at once, but only where it knows of a cache that it shares with the others.
    eventually(lambda: wallet_refreshes(host) > before)


def test_a_failover_loses_no_job(host, client, master, replica, say):
    before = inside.invocations(host)
    host.check_output("systemctl stop %s", queue.WORKER)
    sent = queue.send(client, BEFORE)
    assert master.queued() >= BEFORE
    # Sentinels promise nothing about the last moments; here all has arrived.
    eventually(lambda: replica.queued() >= BEFORE)
    host.check_output("docker kill redis-1")
    eventually(lambda: address_of_the_master(host) == "10.98.0.12", seconds=90)
    assert replica.queued() >= BEFORE
    sent += queue.send(client, AFTER)
    host.check_output("systemctl start %s", queue.WORKER)
    queue.all_processed(host, sent)
    # Clock and API found the new master by themselves.
    after = inside.invocations(host)
    assert {unit for unit in after if before[unit] != after[unit]} == {queue.WORKER}
    containers = inside.containers(host)
    lago = {
        network["IPAddress"]
        for name in ("mash-lago-api", "mash-lago-api-worker", "mash-lago-api-clock")
        for network in containers[name]["NetworkSettings"]["Networks"].values()
    }
    eventually(lambda: len({one["addr"].split(":")[0] for one in replica.clients()} & lago) == 3)
    say(f"failover: {len(sent)} jobs acknowledged, {len(sent) - queue.processed(host, sent)} lost")
