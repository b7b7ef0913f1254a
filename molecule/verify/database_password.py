# SPDX-FileCopyrightText: 2026 The selfhosting.lago authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Whether Postgres takes the password with which the API runs, asked all the time on the server."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass

RUNNING, FOUND = "/run/watch-password", "/root/watch-password"
INSPECT = "{{.State.Running}} {{.Id}} {{range .Config.Env}}{{.}} {{end}}"
# Each line: when, the API's container, whether Postgres let its password in. Nothing where no API runs.
PROGRAM = r"""
touch "$1"
while [ -e "$1" ]; do
    now=$(date +%s.%N)
    container=$(docker inspect --format "$3" mash-lago-api 2>/dev/null) || continue
    [ "${container%% *}" = true ] || continue
    url=$(echo "$container" | tr ' ' '\n' | sed -n 's/^DATABASE_URL=//p')
    let_in=no
    docker exec mash-postgres psql --no-psqlrc --quiet "$url" --command='SELECT 1' >/dev/null 2>&1 && let_in=yes
    echo "$now $(echo "$container" | cut -d ' ' -f 2) $let_in"
done >"$2"
"""


@dataclass(frozen=True)
class Sample:
    time: float
    container: str
    let_in: bool


def samples(host) -> list[Sample]:
    lines = [line.split() for line in host.file(FOUND).content_string.splitlines()]
    return [Sample(float(time), container, let_in == "yes") for time, container, let_in in lines]


@contextlib.contextmanager
def watching(host) -> Iterator[list[Sample]]:
    """Within, it is asked all the time; the answers are in the list afterwards."""
    found: list[Sample] = []
    host.check_output("printf '%%s' %s >/root/watch-password.sh", PROGRAM)
    command = "systemd-run --quiet --unit=watch-password sh /root/watch-password.sh"
    host.check_output(f"{command} %s %s %s", RUNNING, FOUND, INSPECT)
    try:
        yield found
    finally:
        host.check_output(f"rm -f {RUNNING}; while systemctl is-active --quiet watch-password; do sleep 0.2; done")
        found += samples(host)
