# SPDX-FileCopyrightText: 2026 The selfhosting.lago authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""What a server is like while a fault is made on it: one context for each `within` of faults.yml."""

from __future__ import annotations

import contextlib
import datetime
from collections.abc import Iterator

from testbed.time_zones import calm_zones
from verify import inside

from .stage import Stage

# Enough for Postgres' next segments of its log until it is filled.
SPARE_MEGABYTES = 100


@contextlib.contextmanager
def one_api_container(stage: Stage) -> Iterator[None]:
    replicate(stage, 1)
    yield


@contextlib.contextmanager
def two_api_containers(stage: Stage) -> Iterator[None]:
    """It stays so: a row of the same kind may follow."""
    replicate(stage, 2)
    yield


def replicate(stage: Stage, number: int) -> None:
    changes: dict[str, object] = {}
    if stage.replicas() != number:
        changes["lago_api_replicas"] = number
    # A wait for the clock's minutes is no part of a fault.
    zones = calm_zones(datetime.datetime.now(datetime.UTC).minute)
    if stage.time_zone() not in zones:
        changes["lago_environment_variables_tz"] = zones[0]
    if changes:
        stage.must_play(**changes)


WORKER = "mash-lago-api-worker"
WORKER_AS_MASH = "worker-as-mash"


@contextlib.contextmanager
def worker_in_api_container(stage: Stage) -> Iterator[None]:
    """As MASH runs it: a client of Docker is the unit, and the process lives in the API's container."""
    replicate(stage, 1)
    stage.host.check_output("systemctl stop %s", WORKER)
    stage.stopped.add(f"{WORKER}.service")
    stage.host.check_output(
        f"systemd-run --unit={WORKER_AS_MASH} --property=Restart=always --property=RestartSec=5"
        " docker exec mash-lago-api ./scripts/start.worker.sh 2>&1"
    )
    try:
        yield
    finally:
        stage.host.run("systemctl stop %s", WORKER_AS_MASH)
        # What is left of it in there ends with the container.
        stage.host.check_output("systemctl restart mash-lago-api")
        stage.host.check_output("systemctl start %s", WORKER)
        stage.stopped.clear()


@contextlib.contextmanager
def small_file_system(stage: Stage) -> Iterator[None]:
    """All data lie on a file system of their own, with little room; in memory, so this context outlives no reboot."""
    replicate(stage, 1)
    start = f"systemctl start {' '.join(inside.installed_units(stage.host))}"
    stage.host.check_output(
        "set -e; systemctl stop 'mash-*.service'; mkdir -p /small;"
        f" mount -t tmpfs -o size=$(( $(du -sm /mash | cut -f1) + {SPARE_MEGABYTES} ))m tmpfs /small;"
        " cp -a /mash/. /small/; mount --bind /small /mash; " + start
    )
    try:
        yield
    finally:
        stage.host.check_output(
            "set -e; systemctl stop 'mash-*.service'; umount /mash; find /mash -mindepth 1 -delete;"
            " cp -a /small/. /mash/; umount /small; " + start
        )


@contextlib.contextmanager
def forgetful_valkey(stage: Stage) -> Iterator[None]:
    """Valkey writes nothing down any more, until it starts anew: what the product's append only file is good for."""
    replicate(stage, 1)
    for setting in ("appendonly no", 'save ""'):
        stage.host.check_output(f"docker exec mash-valkey valkey-cli config set {setting}")
    yield
