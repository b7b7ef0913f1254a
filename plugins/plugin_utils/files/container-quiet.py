#!/usr/bin/python3
# SPDX-FileCopyrightText: 2026 The selfhosting.lago authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Tell a Sidekiq worker to take no more jobs, and wait until it works on none.

Runs as ExecStop= of the worker's unit, before the container is stopped: quiet and stop are one act, because a worker
that was only quieted looks well and does nothing for ever. Always ends with 0, the stop comes next in any case.

  container-quiet --timeout=S NAME SIGNAL
"""

import os
import re
import subprocess
import sys
import time

INTERVAL = 0.2
PROC = "/proc"
# Threads that take jobs; each ends once its worker is quiet and its job is done. Linux keeps 15 characters of a name.
PROCESSOR = "sidekiq.default/processor"[:15]
# What Sidekiq says of itself every 10 s: sidekiq 7.3.2 app [1 of 10 busy] stopping
IDLE = re.compile(r"^sidekiq .*\[0 of \d+ busy\] stopping")


def docker(*arguments):
    done = subprocess.run(
        ["docker", *arguments], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, check=False
    )
    return done.stdout.strip() if done.returncode == 0 else None


def read(path):
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read()
    except OSError:
        return ""


def title(pid):
    return read(f"{PROC}/{pid}/cmdline").replace("\0", " ").strip()


def processors(pid):
    """How many threads of the process take jobs."""
    try:
        threads = os.listdir(f"{PROC}/{pid}/task")
    except OSError:
        return 0
    return sum(read(f"{PROC}/{pid}/task/{thread}/comm").strip() == PROCESSOR for thread in threads)


def main(arguments):
    option, name, signal = arguments
    timeout = float(option.split("=", 1)[1])
    pid = docker("inspect", "--format={{.State.Pid}}", name) or "0"
    if pid == "0":
        return 0
    # Threads come and go where the names are others than expected: then the title alone says when it is done.
    by_threads = processors(pid) > 0
    if docker("kill", f"--signal={signal}", name) is None:
        return 0
    start = time.monotonic()
    while time.monotonic() - start < timeout:
        # What just got the signal has a title from before it.
        if not os.path.exists(f"{PROC}/{pid}") or IDLE.match(title(pid)) or (by_threads and not processors(pid)):
            print(f"{name} has no job in progress after {time.monotonic() - start:.1f} s")
            return 0
        time.sleep(INTERVAL)
    print(f"{name} still works after {timeout:.0f} s; what it does not finish goes back to its queue")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
