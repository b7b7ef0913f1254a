#!/usr/bin/python3
# SPDX-FileCopyrightText: 2026 The selfhosting.lago authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Stop the workers that need a service before it stops, and start them once it is back.

Runs as ExecStop= and ExecStartPost= of the service's unit: a job that meets a database which is gone fails for good.
A service that ended by itself is started again at once, without waiting for anybody. Workers are the units that are
told to take no more jobs before they stop. Always ends with 0: the stop comes next in any case.

`hold` freezes all others that need it while it restarts: a request that has stored its row and cannot enqueue its job
is answered with an error, and the next try with "exists already", so the job would be lost. They go on when it is back
(`start`), or when it does not come back (`release`, as ExecStopPost=).

  container-users --timeout=S stop|hold|start|release NAME
"""

import contextlib
import os
import subprocess
import sys

UNITS = "/etc/systemd/system"
UP = ("active", "activating", "reloading")


def run(*command, timeout=None):
    with contextlib.suppress(subprocess.TimeoutExpired):
        done = subprocess.run(
            command,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            timeout=timeout,
            check=False,
        )
        return done.stdout.strip()
    return ""


def users_of(name, workers):
    """Units that want the service's unit: workers, or all others."""
    found = []
    for unit in sorted(os.listdir(UNITS)):
        if unit.endswith(".service"):
            with open(os.path.join(UNITS, unit), encoding="utf-8", errors="replace") as file:
                lines = file.read().splitlines()
            if f"Wants={name}.service" in lines and any(line.startswith("Quiet=") for line in lines) == workers:
                found.append(unit)
    return found


def is_running(container):
    return run("docker", "inspect", "--format={{.State.Running}}", container) == "true"


def will_start(name):
    """Whether systemd stops it only to start it again."""
    jobs = [line.split() for line in run("systemctl", "list-jobs", "--plain", "--no-legend").splitlines()]
    return any(job[1:2] == [f"{name}.service"] and job[2] in ("restart", "start") for job in jobs)


def state_of(unit):
    return run("systemctl", "show", "--property=ActiveState", "--value", "--", unit)


def stop(name, note, timeout):
    if not is_running(name):
        return
    states = {unit: state_of(unit) for unit in users_of(name, workers=True)}
    running = [unit for unit, state in states.items() if state in UP]
    # One that is being stopped by somebody else is waited for as well.
    ending = [unit for unit, state in states.items() if state == "deactivating"]
    if running:
        with open(note, "w", encoding="utf-8") as file:
            file.write("\n".join(running))
    if running or ending:
        print(f"stopped before {name}: {', '.join(running + ending)}")
        run("systemctl", "stop", "--", *running, *ending, timeout=timeout)


def start(note):
    """What was stopped for it, and nothing that somebody stopped for another reason."""
    with contextlib.suppress(FileNotFoundError):
        with open(note, encoding="utf-8") as file:
            units = file.read().split()
        os.remove(note)
        # Their own jobs wait until this unit has started.
        run("systemctl", "start", "--no-block", "--", *units)


def hold(name, note, timeout):
    if not is_running(name) or not will_start(name):
        return
    containers = [unit.removesuffix(".service") for unit in users_of(name, workers=False)]
    containers = [container for container in containers if is_running(container)]
    if containers:
        with open(note, "w", encoding="utf-8") as file:
            file.write("\n".join(containers))
        print(f"held while {name} restarts: {', '.join(containers)}")
        run("docker", "pause", *containers, timeout=timeout)


def let_go(note):
    with contextlib.suppress(FileNotFoundError):
        with open(note, encoding="utf-8") as file:
            containers = file.read().split()
        os.remove(note)
        # One that has been stopped or made anew meanwhile is refused, and the others go on.
        run("docker", "unpause", *containers)


def main(arguments):
    option, verb, name = arguments
    timeout = float(option.split("=", 1)[1])
    note = os.path.join(os.environ["STATE_DIRECTORY"], name)
    if verb == "stop":
        stop(name, note, timeout)
    elif verb == "hold":
        hold(name, f"{note}.held", timeout)
    elif verb == "start":
        let_go(f"{note}.held")
        start(note)
    elif not will_start(name):
        let_go(f"{note}.held")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
