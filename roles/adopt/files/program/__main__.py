# SPDX-FileCopyrightText: 2026 The selfhosting.lago authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Moves what the vendor's compose project holds into the services of here; the project keeps all of it.

Each step is noted when it is done. One that was cut off is done again as a whole: nothing of the project is changed but
whether its containers run and start at boot.
"""

from __future__ import annotations

import fcntl
import json
import os
import sys
import time

from database import Database
from keys import Keys
from shell import Failure, fail, lasting, say
from source import Source
from storage import copied, differences

DIRECTORY = os.path.dirname(os.path.abspath(__file__))


class Record:
    """How far it came: told from the outside, so that a run that goes on knows."""

    def __init__(self, path, directory):
        self._path = path
        try:
            with open(path, encoding="utf-8") as file:
                self.values = json.load(file)
        except FileNotFoundError:
            self.values = {"directory": directory, "state": "moving", "done": [], "containers": {}, "begun": []}

    def begin(self, what):
        """From now on what is there of it may be of a try that was cut off."""
        self.note(begun=sorted({*self.values["begun"], what}))

    def note(self, **changes):
        self.values.update(changes)
        temporary = f"{self._path}.new"
        with open(os.open(temporary, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
            json.dump(self.values, file)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, self._path)


def move(request):
    started = time.monotonic()
    record = Record(request["record_path"], request["directory"])
    record.note()
    source = Source(request["source"], record)
    storage = request["storage"]
    database = Database(request["postgres"], os.path.join(DIRECTORY, "lago.dump"), record)
    redis = Keys(source, request["redis"], record)
    source.keep_down_after_a_boot()
    if storage["source"]:
        say("Copying files while Lago runs")
        copied(storage)
    steps = {
        "stop": source.stop,
        "database": database.move,
        "redis": redis.move,
        "storage": lambda: put_storage(storage),
    }
    try:
        for name, step in steps.items():
            # Stopped again: somebody may have started it meanwhile.
            if name == "stop" or name not in record.values["done"]:
                step()
                record.note(done=sorted({*record.values["done"], name}))
    except (Failure, OSError):
        # As it was before: Lago goes on where it was.
        source.start_again()
        record.note(done=[])
        raise
    source.stop_data()
    record.note(state="moved")
    say(f"All of it is moved ({lasting(time.monotonic() - started)})")


def put_storage(storage):
    if not storage["source"]:
        say("The project keeps no files here")
        return
    say("Copying what came since")
    copied(storage)
    problems = differences(storage)
    if problems:
        raise Failure(f"Files differ: {', '.join(problems[:10])}")


def main():
    os.umask(0o077)
    try:
        path = os.path.join(DIRECTORY, "request.json")
        with open(path, encoding="utf-8") as file:
            request = json.load(file)
        # There are passwords in it, and the next run brings it anew.
        os.unlink(path)
        with open(os.path.join(DIRECTORY, "lock"), "w", encoding="utf-8") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            move(request)
    except (Failure, OSError) as error:
        fail(str(error))
        sys.exit(1)


if __name__ == "__main__":
    main()
