# SPDX-FileCopyrightText: 2026 The selfhosting.lago authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""The place where backups are: restic's repository, in a directory, over SFTP or in S3."""

from __future__ import annotations

import json
import os
from concurrent.futures import ThreadPoolExecutor

from shell import Failure, Progress, run, sha256

MISSING = "Is there a repository at the following location?"


class Repository:
    def __init__(self, configuration):
        self.location = configuration["repository"]
        self._host = configuration["host"]
        self._tag = configuration["identifier"]
        self._options = [f"--option={option}" for option in configuration["options"]]
        # In the environment of restic alone: nothing of it is seen in a list of processes.
        self._environment = {
            **configuration["environment"],
            "RESTIC_REPOSITORY": self.location,
            "RESTIC_PASSWORD": configuration["password"],
            "RESTIC_CACHE_DIR": os.path.join(configuration["data_path"], "cache"),
        }

    @property
    def directory(self):
        """Where it is when it is on this server."""
        return self.location if self.location.startswith("/") else None

    def restic(self, *arguments, check=True):
        return run(["restic", *self._options, *arguments], check=check, environment=self._environment)

    def prepare(self):
        """Made where there is none; the lock of a run that was killed is removed."""
        done = self.restic("cat", "config", "--no-lock", check=False)
        if done.returncode and MISSING in done.stderr:
            self.restic("init", "--repository-version=2")
        elif done.returncode:
            raise Failure(f"The repository {self.location} cannot be opened: {done.stderr.strip()[-1000:]}")
        else:
            self.restic("unlock")

    def snapshots(self):
        """Oldest first."""
        done = self.restic(
            "snapshots", "--json", "--no-lock", f"--tag={self._tag}", f"--host={self._host}", check=False
        )
        if done.returncode and MISSING in done.stderr:
            return []
        if done.returncode:
            raise Failure(f"The repository {self.location} cannot be read: {done.stderr.strip()[-1000:]}")
        return sorted(json.loads(done.stdout) or [], key=lambda one: one["time"])

    def find(self, name):
        found = self.snapshots()
        if name == "latest":
            matching = found[-1:]
        else:
            matching = [one for one in found if len(name) >= 8 and one["id"].startswith(name)]
        if len(matching) != 1:
            known = ", ".join(one["short_id"] for one in found) or "none"
            raise Failure(f"There is no backup {name}. There are: {known}")
        return matching[0]

    def store(self, directory):
        """A backup is in the list when all of it is in the repository, and not before."""
        command = ["restic", *self._options, "backup", "--json", "--quiet", "--ignore-ctime"]
        command += [f"--tag={self._tag}", f"--host={self._host}", "."]
        done = run(["env", f"--chdir={directory}", *command], environment=self._environment)
        return json.loads(done.stdout.splitlines()[-1])["snapshot_id"]

    def forget(self, keep):
        # All of the last day: a new backup must not push out the one of the same day that has passed its trial.
        rules = ["--keep-within=1d", *(f"--keep-{period}={number}" for period, number in keep.items() if number)]
        scope = [f"--tag={self._tag}", f"--host={self._host}", "--group-by=host,tags"]
        self.restic("forget", "--quiet", *scope, *rules, "--prune")

    def fetch(self, snapshot, directory):
        self.restic("restore", snapshot["id"], f"--target={directory}")

    def damaged(self):
        """What is wrong with the stored bytes: one text each."""
        if not self.directory:
            done = self.restic("check", "--read-data", check=False)
            return [] if done.returncode == 0 else [done.stderr.strip()[-2000:]]
        found = self._misnamed()
        if not found:
            done = self.restic("check", "--no-lock", check=False)
            if done.returncode:
                found.append(done.stderr.strip()[-2000:])
        return found

    def _misnamed(self):
        """Every file is named by the checksum of its content, but the configuration, which restic itself checks."""
        paths = []
        for kind in ("data", "index", "keys", "snapshots"):
            for root, _directories, names in os.walk(os.path.join(self.directory, kind)):
                paths += [os.path.join(root, name) for name in names]
        progress = Progress("Reading the repository", sum(os.path.getsize(path) for path in paths))
        with ThreadPoolExecutor(max_workers=os.cpu_count()) as pool:
            sums = list(pool.map(lambda path: sha256(path, progress), paths))
        return [
            f"{os.path.relpath(path, self.directory)} is damaged: its content is not what was stored"
            for path, found in zip(paths, sums)
            if found != os.path.basename(path)
        ]
