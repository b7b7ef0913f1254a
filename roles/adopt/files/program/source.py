# SPDX-FileCopyrightText: 2026 The selfhosting.lago authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""The containers of the compose project: stopped in an order that loses nothing, and started again where that fails."""

from __future__ import annotations

import json
import time

from shell import Failure, run, say

# Seconds, as in the units of here: Sidekiq gives jobs 25, Puma 30.
GRACE = {"clock": 10, "worker": 35, "api": 45, "front": 10, "pdf": 30}
OTHER_GRACE = 10
DATA_GRACE = 120
# Between two looks at whether one has ended.
INTERVAL = 0.5
# Sidekiq takes no more jobs.
QUIET = "TSTP"


class Source:
    """`processes` are the names of containers by what of Lago they are, in the order in which they are stopped."""

    def __init__(self, configuration, record):
        self._processes = configuration["processes"]
        self._data = configuration["data"]
        self._quiet, self._drain = configuration["quiet"], configuration["drain_seconds"]
        self._record = record

    def inspected(self, name):
        (found,) = json.loads(run(["docker", "inspect", "--type=container", name]).stdout)
        return found

    def running(self, name):
        return self.inspected(name)["State"]["Running"]

    def address(self, name):
        """One of its addresses on Docker's networks."""
        networks = self.inspected(name)["NetworkSettings"]["Networks"].values()
        address = next((network["IPAddress"] for network in networks if network["IPAddress"]), "")
        if not address:
            raise Failure(f"{name} is on no network of Docker where it has an address.")
        return address

    @property
    def _all(self):
        return [name for names in self._processes.values() for name in names] + self._data

    def keep_down_after_a_boot(self):
        """Two clocks would bill twice. How it was before is noted first, once."""
        known = self._record.values["containers"]
        for name in self._all:
            if name not in known:
                found = self.inspected(name)
                known[name] = {"policy": found["HostConfig"]["RestartPolicy"], "running": found["State"]["Running"]}
        self._record.note(containers=known)
        for name in self._all:
            if self.inspected(name)["HostConfig"]["RestartPolicy"]["Name"] not in ("", "no"):
                run(["docker", "update", "--restart=no", name])
        # What the rest is read from; an earlier run may have ended after it was stopped.
        for name in self._data:
            if not self.running(name):
                run(["docker", "start", name])

    def stop(self):
        for process, names in self._processes.items():
            for name in names:
                if not self.running(name):
                    continue
                say(f"Stopping {name}")
                if process == "worker":
                    run([*self._quiet, f"--timeout={self._drain}", name, QUIET], check=False)
                elif process == "api":
                    self._interrupt(name, GRACE[process])
                run(["docker", "stop", f"--time={GRACE.get(process, OTHER_GRACE)}", name])

    def _interrupt(self, name, seconds):
        """Puma as a container's first process finishes its requests on SIGTERM, and then never ends."""
        run(["docker", "kill", "--signal=INT", name], check=False)
        deadline = time.monotonic() + seconds
        while self.running(name) and time.monotonic() < deadline:
            time.sleep(INTERVAL)

    def stop_data(self):
        for name in self._data:
            if self.running(name):
                say(f"Stopping {name}")
                run(["docker", "stop", f"--time={DATA_GRACE}", name])

    def start_again(self):
        """In the other order, each as it was."""
        known = self._record.values["containers"]
        say("Starting the project again, as it was")
        for name in reversed(self._all):
            before = known.get(name)
            if not before:
                continue
            policy = before["policy"]["Name"] or "no"
            if before["policy"].get("MaximumRetryCount"):
                policy += f":{before['policy']['MaximumRetryCount']}"
            run(["docker", "update", f"--restart={policy}", name], check=False)
            if before["running"]:
                done = run(["docker", "start", name], check=False)
                if done.returncode:
                    say(f"{name} does not start: {done.stderr.strip()[-300:]}")
