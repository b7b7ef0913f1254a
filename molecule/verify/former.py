# SPDX-FileCopyrightText: 2026 The selfhosting.lago authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""A server that MASH set up (molecule/mash): what must be the same afterwards, and the lines that a run offers."""

from __future__ import annotations

import re

from .inside import sql

# Headings of the two ways that a run offers; each release goes one of them in the scenario takeover.
SHARED = "Or this project runs the shared services"
LAGO_ONLY = "Lago only"
WAYS = {"bookworm": LAGO_ONLY, "trixie": SHARED}
TABLES = ("organizations", "api_keys", "events", "invoices", "payment_providers", "active_storage_blobs")
FILES = (
    r"find /mash /etc/systemd/system -path /mash/\*/data -prune -o -path /mash/postgres/run -prune -o -type f -print0 "
    r"| sort -z | xargs -0 sha256sum"
)


def rows(host) -> dict[str, int]:
    """Of tables to which nothing is added by itself."""
    counted = {name: int(sql(host, f"SELECT count(*) FROM {name}")) for name in TABLES}
    return {**counted, "notes": int(sql(host, "SELECT count(*) FROM notes", database="notes"))}


def queued_jobs(host) -> int:
    return int(host.check_output("docker exec mash-valkey valkey-cli llen queue:payments"))


def credentials(host) -> str:
    """Decrypted by the application's own code."""
    return host.check_output("docker exec mash-lago-api rails standin:secrets")


def files(host, path: str = "") -> dict[str, str]:
    """Checksums of /mash outside the databases' data and of the units, or of everything below a path."""
    command = f"find {path} -type f -print0 | sort -z | xargs -0 sha256sum" if path else FILES
    return {
        name: checksum for checksum, name in (line.split(None, 1) for line in host.check_output(command).splitlines())
    }


def state(host) -> dict:
    """Everything that a run which stops must leave as it is."""
    return {
        "files": files(host),
        "containers": sorted(host.check_output("docker ps --all --quiet --no-trunc").split()),
        "networks": sorted(host.check_output("docker network ls --quiet --no-trunc").split()),
        "rows": rows(host),
        "jobs": queued_jobs(host),
    }


def plain(output: str) -> str:
    """Without colours."""
    return re.sub(r"\x1b\[[0-9;]*m", "", output)


def offered(output: str, heading: str) -> str:
    """The indented lines below a heading of the message, as they are pasted into vars.yml."""
    _before, found, rest = plain(output).partition(heading)
    assert found, output
    lines = rest.splitlines()[1:]
    taken = lines[: next(i for i, line in enumerate([*lines, ""]) if not line.startswith("    "))]
    assert taken, output
    return "\n".join(re.sub("^    ", "", line) for line in taken) + "\n"


def processes(host, pattern: str) -> int:
    return len(host.run("pgrep --full %s", pattern).stdout.split())
