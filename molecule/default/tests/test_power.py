# SPDX-FileCopyrightText: 2026 The selfhosting.lago authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""A reboot, a power cut and a restart of Docker: all comes back by itself, with every event that was accepted."""

import pytest
from testbed import servers
from verify import inside
from verify.outside import new_event
from verify.waiting import eventually, throughout

# Three programs that take their time to boot, and recovery of Postgres, on a busy machine.
BACK_WITHIN = 180


def send(site) -> str:
    """An event that was accepted."""
    return site.client().events.create(new_event()).transaction_id


def test_reboot_and_power_cut(host, site, server):
    for interrupt in (servers.reboot, servers.power_cut):
        sent = [send(site)]
        # The job in progress is what a power cut may cost; see docs/reliability.md.
        eventually(lambda: inside.unprocessed_events(host) == 0)
        before = inside.invocations(host)
        interrupt(server)
        eventually(lambda: inside.all_active(host), seconds=BACK_WITHIN)
        after = inside.invocations(host)
        assert not set(before.values()) & set(after.values())
        sent.append(eventually(lambda: send(site), seconds=30))
        assert inside.event_rows(host, sent) == 2
        eventually(lambda: inside.unprocessed_events(host) == 0)


def test_docker_stops_and_starts(host, site):
    sent = [send(site)]
    host.check_output("systemctl stop docker.service 2>&1")
    # A unit that wants to start again must not start Docker against its administrator's will: longer than RestartSec=.
    throughout(lambda: host.run("systemctl is-active docker.service").stdout.strip() == "inactive", seconds=8)
    assert set(inside.states(host).values()) == {"inactive"}
    host.check_output("systemctl start docker.service")
    eventually(lambda: inside.all_active(host), seconds=BACK_WITHIN)
    sent.append(eventually(lambda: send(site), seconds=30))
    assert inside.event_rows(host, sent) == 2


@pytest.mark.parametrize("unit", ["mash-postgres", "mash-valkey"])
def test_lago_outlives_a_stop_of_its_databases(host, site, unit):
    before = inside.invocations(host)
    host.check_output("systemctl stop %s", unit)
    host.check_output("systemctl start %s", unit)
    eventually(lambda: send(site), seconds=30)
    eventually(lambda: inside.all_active(host), seconds=BACK_WITHIN)
    after = inside.invocations(host)
    # A job that meets a database which is gone fails for good: the worker stops before, and starts afterwards.
    assert {name for name in after if before[name] != after[name]} == {
        f"{unit}.service",
        "mash-lago-api-worker.service",
    }
