# SPDX-FileCopyrightText: 2026 The selfhosting.lago authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Which service uses which: seen by jobs and connections, by what systemd orders, and after a reboot."""

from __future__ import annotations

from testbed import servers

from . import inside
from .waiting import eventually

# Database programs and Rails on a busy machine.
BACK_WITHIN = 180
# What needs Valkey, by the end of its name.
PROCESSES = ("api", "api-worker", "api-clock", "migrate")
JOB = "EventsPostProcessJob"
ALL_JOBS = (
    "for queue in $(valkey-cli --scan --pattern 'queue:*'); do valkey-cli lrange $queue 0 -1; done | grep -c %s || true"
)


def jobs(host, valkey: str) -> int:
    """How many events wait for a worker in this instance."""
    return int(host.check_output("docker exec %s sh -c %s", valkey, ALL_JOBS % JOB))


def keys(host, valkey: str) -> int:
    """Of all databases together."""
    lines = host.check_output("docker exec %s valkey-cli info keyspace", valkey).splitlines()
    return sum(int(line.split("keys=")[1].split(",")[0]) for line in lines if "keys=" in line)


def answer(host, network: str, valkey: str, address: str) -> str:
    """What a container that has nothing to do with Lago hears from an instance, from one of the server's networks."""
    image = inside.containers(host)[valkey]["Config"]["Image"]
    command = f"docker run --rm --network={network} --entrypoint=timeout {image} 4 valkey-cli -h {address} ping 2>&1"
    return host.run(command).stdout.strip()


def addresses(host, valkey: str) -> list[str]:
    """Its name, and where it is in each network: what a name does not lead to may still be reachable."""
    networks = inside.containers(host)[valkey]["NetworkSettings"]["Networks"]
    return [valkey, *(endpoint["IPAddress"] for endpoint in networks.values())]


def others(host, valkey: str) -> list[str]:
    """The networks in which it is not."""
    names = host.check_output("docker network ls --filter driver=bridge --format '{{.Name}}'").split()
    return sorted(set(names) - set(inside.containers(host)[valkey]["NetworkSettings"]["Networks"]))


def is_ordered(host, unit: str, needed: str) -> bool:
    """Whether systemd starts the one after the other, and the other along with the one."""
    seen = inside.properties(host, unit, "Wants", "After", "Requires")
    return (
        needed in seen["Wants"].split() and needed in seen["After"].split() and needed not in seen["Requires"].split()
    )


def reboots(host, server: servers.Server) -> None:
    """All comes up by itself, and nothing had to try twice."""
    before = set(inside.invocations(host).values())
    servers.reboot(server)
    eventually(lambda: inside.all_active(host), seconds=BACK_WITHIN)
    assert not before & set(inside.invocations(host).values())
    units = inside.installed_units(host)
    restarts = {unit: inside.properties(host, unit, "NRestarts")["NRestarts"] for unit in units}
    assert set(restarts.values()) == {"0"}, restarts


def came_up_after(host, unit: str, needed: str) -> bool:
    """Whether the needed one had answered before the unit began to start."""
    ready = int(inside.properties(host, needed, "ActiveEnterTimestampMonotonic")["ActiveEnterTimestampMonotonic"])
    began = int(inside.properties(host, unit, "InactiveExitTimestampMonotonic")["InactiveExitTimestampMonotonic"])
    return 0 < ready <= began
