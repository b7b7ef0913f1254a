#!/usr/bin/python3
# SPDX-FileCopyrightText: 2026 The selfhosting.lago authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Let a container into the reverse proxy's pool, or take it out before it stops.

Traefik routes to containers that Docker calls healthy. The health check of such a container is whether a file is
there, so that it is in the pool from when it can work until its stop begins, and not as long as it runs.

  container-pool join NAME FILE     ExecStartPost=: it is ready; ends when Docker says healthy
  container-pool leave NAME FILE    ExecStop=: ends when Docker says unhealthy and Traefik has had time to hear of it
"""

import os
import subprocess
import sys
import time

# Python's -I leaves the program's own directory out.
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from container_docker import inspect

INTERVAL = 0.2
# A health check is made every 5 s; on a busy server it takes its time.
TIMEOUT = 60
# Traefik applies what it hears at once or after its providersThrottleDuration, 2 s in a Traefik of the user's own.
SETTLE = 2.5


def docker(*arguments):
    return subprocess.run(["docker", *arguments], capture_output=True, text=True, check=False)


def wait_for(name, wanted):
    start = time.monotonic()
    while time.monotonic() - start < TIMEOUT:
        container = inspect(name)
        if container is not None:
            state = container.get("State", {})
            if not state.get("Running"):
                return False
            if state["Health"]["Status"] == wanted:
                return True
        time.sleep(INTERVAL)
    return False


def main(arguments):
    operation, name, path = arguments
    if operation == "join":
        done = docker("exec", name, "touch", path)
        if done.returncode:
            print(f"{name}: {done.stderr.strip()}", file=sys.stderr)
            return 1
        if not wait_for(name, "healthy"):
            print(f"{name}: Docker did not find it healthy within {TIMEOUT} s", file=sys.stderr)
            return 1
        return 0
    # A container that does not run any more is in no pool; its stop goes on.
    if docker("exec", name, "rm", "-f", path).returncode == 0 and wait_for(name, "unhealthy"):
        time.sleep(SETTLE)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
