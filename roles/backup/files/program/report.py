# SPDX-FileCopyrightText: 2026 The selfhosting.lago authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""What is known of the backups: a file for each question, a line in the journal, a metric."""

from __future__ import annotations

import datetime
import json
import os
import re
import tempfile


def write(path, text, mode=0o644):
    """Whole or not at all: others read it at any time."""
    handle, temporary = tempfile.mkstemp(dir=os.path.dirname(path), prefix=".new-")
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    os.chmod(temporary, mode)
    os.replace(temporary, path)


class Results:
    """Of each backup whether it passed its trial."""

    def __init__(self, configuration):
        self._configuration = configuration
        self._path = os.path.join(configuration["data_path"], "results.json")
        try:
            with open(self._path, encoding="utf-8") as file:
                self.known = json.load(file)
        except (OSError, ValueError):
            self.known = {}

    def add(self, snapshot, problems, when, known_ids, queue_elsewhere=""):
        created = timestamp(snapshot["time"])
        result = {"good": not problems, "tried": when, "created": created, "problems": problems}
        self.known = {name: one for name, one in self.known.items() if name in known_ids}
        self.known[snapshot["id"]] = result
        write(self._path, json.dumps(self.known, indent=1, sort_keys=True), 0o640)
        # Read by the probe of a run: what deletes data asks for it, and a way back.
        record = self._configuration["record_path"]
        if result["good"]:
            os.makedirs(os.path.dirname(record), exist_ok=True)
            known = {"backup_time": created, "snapshot": snapshot["id"], "tried": when}
            write(record, json.dumps({**known, "queue_elsewhere": queue_elsewhere}), 0o640)
        elif os.path.exists(record):
            os.unlink(record)

    def of(self, snapshot):
        result = self.known.get(snapshot["id"])
        return "not tried" if not result else "good" if result["good"] else "BAD"

    def metrics(self, snapshots):
        """For node_exporter's textfile collector, where it is installed."""
        path = self._configuration["metrics_path"]
        if not path or not os.path.isdir(path):
            return
        newest = max((timestamp(one["time"]) for one in snapshots), default=0)
        good = [one for one in self.known.values() if one["good"]]
        last = max(self.known.values(), key=lambda one: one["tried"], default=None)
        values = {
            "selfhosting_backup_count": (len(snapshots), "Backups in the repository."),
            "selfhosting_backup_newest_seconds": (newest, "When the newest backup was made."),
            "selfhosting_backup_good_seconds": (
                max((one["created"] for one in good), default=0),
                "When the newest backup was made that was restored on trial.",
            ),
            "selfhosting_backup_trial_seconds": (last["tried"] if last else 0, "When a backup was last tried."),
            "selfhosting_backup_trial_success": (int(bool(last and last["good"])), "Whether that backup was good."),
        }
        label = f'{{identifier="{self._configuration["identifier"]}"}}'
        lines = []
        for name, (value, text) in values.items():
            lines += [f"# HELP {name} {text}", f"# TYPE {name} gauge", f"{name}{label} {value:.0f}"]
        write(os.path.join(path, f"{self._configuration['identifier']}.prom"), "\n".join(lines) + "\n")


def timestamp(text):
    """Of restic's time: nanoseconds, which Python does not know, and any zone."""
    without_fraction = re.sub(r"\.\d+", "", text).replace("Z", "+00:00")
    return datetime.datetime.fromisoformat(without_fraction).timestamp()
