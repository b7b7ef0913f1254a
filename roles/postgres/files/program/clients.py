# SPDX-FileCopyrightText: 2026 The selfhosting.lago authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""What uses Postgres, stopped for as long as something is done to it; and what is put right after a run that died."""

from __future__ import annotations

import json
import os
import shutil
import tempfile

from shell import Failure, run, say

# Of systemd, in its order of life; what ended is not started again.
RUNNING = ("active", "activating", "reloading")


def write(path, text):
    """Whole or not at all, and on the disk before anything that relies on it."""
    handle, temporary = tempfile.mkstemp(dir=os.path.dirname(path), prefix=".new-")
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    os.chmod(temporary, os.stat(path).st_mode & 0o777 if os.path.exists(path) else 0o600)
    os.replace(temporary, path)


class State:
    """What has been begun; a run that is killed leaves it, and the next one or the end of the unit puts things right.

    `stopped` are units to start again, `containers` and `directories` go, `switch` is a change of the data directory.
    """

    def __init__(self, configuration):
        self._path = os.path.join(configuration["state_path"], "state.json")
        try:
            with open(self._path, encoding="utf-8") as file:
                self.values = json.load(file)
        except FileNotFoundError:
            self.values = {}

    def get(self, name):
        return self.values.get(name, [])

    def note(self, **values):
        self.values.update(values)
        write(self._path, json.dumps(self.values))

    def add(self, name, *values):
        self.note(**{name: [*self.get(name), *(value for value in values if value not in self.get(name))]})

    def clear(self):
        self.values = {}
        if os.path.exists(self._path):
            os.unlink(self._path)


def shown(units, *properties):
    """`systemctl show`: unit to properties."""
    output = run(["systemctl", "show", "--property=" + ",".join(("Id", *properties)), "--", *units]).stdout
    blocks = [dict(line.split("=", 1) for line in block.splitlines() if "=" in line) for block in output.split("\n\n")]
    return {block["Id"]: block for block in blocks if "Id" in block}


def users_of(unit, further):
    """Services that run and ask for the unit, whoever wrote them, and those that the user names."""
    wanted = shown([unit], "WantedBy", "RequiredBy")[unit]
    names = {*wanted.get("WantedBy", "").split(), *wanted.get("RequiredBy", "").split(), *further}
    names = sorted(name for name in names if name.endswith(".service") and name != "docker.service")
    found = []
    for name, properties in shown(names, "ActiveState", "Type").items() if names else ():
        if properties["ActiveState"] in RUNNING:
            if properties["Type"] == "oneshot":
                raise Failure(
                    f"{name} is at work on the database. Nothing was changed; run this again when it has ended."
                )
            found.append(name)
    return found


def stop_users(configuration, state):
    units = users_of(configuration["unit"], configuration["stop"])
    state.add("stopped", *units)
    if units:
        say(f"Stopping {', '.join(units)}")
        run(["systemctl", "stop", "--", *units])


def remove(directory):
    if os.path.isdir(directory):
        shutil.rmtree(directory)


def recover(configuration, state, finish=lambda _configuration, _switch: None):
    """Everything that a run has begun and not ended; nothing where it has ended."""
    if not state.values:
        return
    if state.get("containers"):
        run(["docker", "rm", "--force", "--volumes", *state.get("containers")], check=False)
    if state.get("switch"):
        finish(configuration, state.get("switch"))
    for directory in state.get("directories"):
        remove(directory)
    units = state.get("stopped")
    if units:
        say(f"Starting {', '.join(units)}")
        run(["systemctl", "reset-failed", "--", *units], check=False)
        done = run(["systemctl", "start", "--", *units], check=False)
        if done.returncode:
            raise Failure(
                f"Not all came up again: {done.stderr.strip()[-1000:]}\nWhat is wrong says systemctl --failed"
            )
    state.clear()
