# SPDX-FileCopyrightText: 2026 The selfhosting.lago authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""All databases and roles in one file, which is there only when it is whole."""

from __future__ import annotations

import os

import postgres
from shell import Failure, Progress, say, sized, stream

NAME = "latest-dump.sql.zst"


def dump_all(configuration, directory):
    if not os.path.isdir(directory):
        raise Failure(f"There is no directory {directory}")
    path = os.path.join(directory, NAME)
    server = postgres.Server(configuration["container"], configuration["user"])
    # Packed where the program for it is; either end of the pipe that fails is the end of it.
    script = 'pg_dumpall --host="$1" --username="$2" | zstd --quiet --stdout'
    command = [
        "docker",
        "exec",
        server.container,
        "bash",
        "-o",
        "pipefail",
        "-ec",
        script,
        "dump-all",
        postgres.SOCKET,
        server.user,
    ]
    os.umask(0o077)
    try:
        stream(command, f"{path}.part", Progress("Dumping all databases, compressed"))
        os.replace(f"{path}.part", path)
    finally:
        if os.path.exists(f"{path}.part"):
            os.unlink(f"{path}.part")
    say(f"{path}: {sized(os.path.getsize(path))}")
