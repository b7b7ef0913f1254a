# SPDX-FileCopyrightText: 2026 The selfhosting.lago authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Who this run is, for the lease of the servers that it changes: see module_utils/lease.py."""

from __future__ import annotations

import functools
import getpass
import os
import socket
import subprocess
import typing as t
import uuid

from .product import COLLECTION

# Ansible imports an action before it forks a worker for it: one number a run.
RUN = uuid.uuid4().hex


def who() -> str:
    try:
        name = getpass.getuser()
    except (KeyError, OSError):
        # A user without a name, in a container.
        name = str(os.getuid())
    return f"{name}@{socket.gethostname()}"


@functools.cache
def commit() -> str:
    """What of this collection it is; "+" where something is changed, nothing where it is no clone."""
    done = subprocess.run(
        ["git", "-C", COLLECTION, "describe", "--always", "--abbrev=12", "--exclude=*", "--dirty=+"],
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stdout.strip()


def terms(host: str, server: t.Mapping) -> dict[str, t.Any]:
    """The argument `lease` of the modules that change a server."""
    return {
        "id": RUN,
        "serial": (server.get("lease") or {}).get("serial", 0),
        "who": who(),
        "commit": commit(),
        "host": host,
    }


def another(server: t.Mapping) -> dict | None:
    """The lease, where another run holds it."""
    lease = server.get("lease") or {}
    return dict(lease) if lease.get("alive") and lease["id"] != RUN else None
