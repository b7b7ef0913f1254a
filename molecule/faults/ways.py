# SPDX-FileCopyrightText: 2026 The selfhosting.lago authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""What befalls containers, Docker and the server: functions that faults.yml names as `way`."""

from __future__ import annotations

from testbed import servers
from verify import inside

from .contexts import WORKER_AS_MASH
from .stage import WELL_SECONDS, Stage


def restart_unit(stage: Stage, of: str) -> None:
    stage.host.check_output("systemctl restart %s", of)


def kill_container(stage: Stage, of: str) -> None:
    before = inside.properties(stage.host, of, "InvocationID")
    stage.host.check_output("docker kill --signal=KILL %s", of)
    # Its unit takes a moment to notice, and looks well until then.
    stage.within(WELL_SECONDS, lambda: inside.properties(stage.host, of, "InvocationID") != before)


def docker_stops_and_starts(stage: Stage) -> None:
    stage.host.check_output("systemctl stop docker.socket docker.service 2>&1")
    stage.host.check_output("systemctl start docker.service")


def reboot(stage: Stage) -> None:
    servers.reboot(stage.server)


def power_cut(stage: Stage) -> None:
    servers.power_cut(stage.server)


def down(stage: Stage, of: str) -> None:
    stage.host.check_output("systemctl stop %s", of)
    stage.hold()
    stage.host.check_output("systemctl start %s", of)


def drop_packets(stage: Stage, of: str) -> None:
    """Nothing goes in or out, and nobody is told."""
    process = stage.host.check_output("docker inspect --format='{{.State.Pid}}' %s", of)
    # Its name stands for an address of each kind.
    rules = [
        f"nsenter --net --target={process} {program} --wait %s {chain} --jump=DROP"
        for program in ("iptables", "ip6tables")
        for chain in ("INPUT", "OUTPUT")
    ]
    for rule in rules:
        stage.host.check_output(rule % "--insert")
    stage.hold()
    for rule in rules:
        stage.host.check_output(rule % "--delete")


def data_path_full(stage: Stage) -> None:
    # Until there is no room: that dd fails is what is wanted.
    stage.host.run("dd if=/dev/zero of=/mash/filler bs=64k")
    stage.hold()
    stage.host.check_output("rm /mash/filler")


def restart_as_mash(stage: Stage, of: str) -> None:
    if of == "worker":
        stage.host.check_output("systemctl restart %s", WORKER_AS_MASH)
    else:
        stage.host.check_output("docker stop --time=3 mash-lago-api")
        stage.host.check_output("systemctl restart mash-lago-api")
