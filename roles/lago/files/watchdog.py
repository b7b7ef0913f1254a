#!/usr/bin/python3
# SPDX-FileCopyrightText: 2026 The selfhosting.lago authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""What nobody sees, because nothing fails: a clock that does not tick, and a worker that takes no jobs.

A timer runs it. What it can mend it mends and tells; what it cannot makes its own unit fail.

  watchdog.py STATE PRODUCT [CLOCK CATCH_UP EVENT MINUTES]

Workers are the units of the product that say how they are quieted. Without a clock it is somewhere else. A tick is what
Clockwork says of EVENT in the journal, and CATCH_UP the unit that makes up for one. Only standard library, Python 3.9
and newer.
"""

import json
import os
import subprocess
import sys
import time

PROC = "/proc"
UNITS = "/etc/systemd/system"
# For what is started here: an image that boots on a busy server.
PATIENCE = 900


def run(*command, timeout=60):
    return subprocess.run(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=timeout, check=False
    )


def active_state(unit):
    return run("systemctl", "show", "--property=ActiveState", "--value", "--", f"{unit}.service").stdout.strip()


def said(units, text, since):
    """When one of the units last wrote the text; 0 for never since then."""
    names = [f"--identifier={unit}" for unit in units]
    done = run(
        "journalctl", *names, f"--since=@{int(since)}", f"--grep={text}", "--lines=1", "--output=short-unix", "--quiet"
    )
    words = done.stdout.split()
    try:
        return float(words[0]) if done.returncode == 0 and words else 0
    except ValueError:
        return 0


def workers_of(product):
    """Names of the product's units that have a way to be quieted."""
    found = []
    for name in sorted(os.listdir(UNITS)):
        if name.endswith(".service"):
            with open(os.path.join(UNITS, name), encoding="utf-8", errors="replace") as file:
                lines = file.read().splitlines()
            if f"Product={product}" in lines and any(line.startswith("Quiet=") for line in lines):
                found.append(name.rsplit(".", 1)[0])
    return found


def quiet_process(unit):
    """The process of a worker that takes no more jobs; Sidekiq says so in its title."""
    pid = run("docker", "inspect", "--format={{.State.Pid}}", unit).stdout.strip()
    try:
        with open(f"{PROC}/{pid}/cmdline", "rb") as file:
            title = file.read().replace(b"\0", b" ").strip()
    except OSError:
        return ""
    return pid if title.startswith(b"sidekiq ") and title.endswith(b"] stopping") else ""


class Watchdog:
    def __init__(self, state, now):
        self.state = state
        self.now = now
        self.problems = []

    def clock(self, clock, catch_up, event, minutes):
        seen = active_state(clock)
        if seen in ("inactive", "failed"):
            # Between a stop and a start of the playbook it is down for a moment.
            if self.state.get("down"):
                self.problems.append(f"{clock}.service is {seen}: nothing is billed. Type: systemctl start {clock}")
            self.state["down"] = True
            return
        self.state["down"] = False
        if seen != "active":
            return
        limit = minutes * 60
        since = self.now - limit
        tick = said([clock, catch_up], f"Triggering '{event}'", since)
        # A journal in memory is gone after a reboot, and before the first look there is nothing to miss.
        last = max(tick, self.state.get("last", 0)) or self.now
        self.state["last"] = last
        if self.now - last < limit:
            return
        print(f"{event} has not come for {(self.now - last) / 60:.0f} minutes; {catch_up}.service makes up for it")
        done = run("systemctl", "start", "--", f"{catch_up}.service", timeout=PATIENCE)
        if done.returncode:
            self.problems.append(f"{catch_up}.service failed: journalctl --unit={catch_up}")
        else:
            self.state["last"] = self.now
        if not said([clock], "Triggering '", since):
            print(f"{clock} has done nothing in that time; it is restarted")
            self.restart(clock)

    def workers(self, units):
        """One that was quiet at the last look as well was forgotten."""
        before, found = self.state.get("quiet", {}), {}
        for unit in units:
            # Whoever asks a Docker that was stopped starts it, by its socket.
            process = quiet_process(unit) if active_state(unit) == "active" else ""
            if not process:
                continue
            if before.get(unit) == process:
                print(f"{unit} was told to take no more jobs, and was forgotten; it is restarted")
                self.restart(unit)
            else:
                found[unit] = process
        self.state["quiet"] = found

    def restart(self, unit):
        if run("systemctl", "restart", "--", f"{unit}.service", timeout=PATIENCE).returncode:
            self.problems.append(f"{unit}.service does not start: journalctl --unit={unit}")


def main(arguments):
    path, product, *clock = arguments
    try:
        with open(path, encoding="utf-8") as file:
            state = json.load(file)
    except (OSError, ValueError):
        state = {}
    watchdog = Watchdog(state, time.time())
    if clock:
        name, catch_up, event, minutes = clock
        watchdog.clock(name, catch_up, event, int(minutes))
    watchdog.workers(workers_of(product))
    with open(f"{path}.new", "w", encoding="utf-8") as file:
        json.dump(state, file)
    os.replace(f"{path}.new", path)
    for problem in watchdog.problems:
        print(problem)
    return 1 if watchdog.problems else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
