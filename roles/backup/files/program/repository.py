# SPDX-FileCopyrightText: 2026 The selfhosting.lago authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""The place where backups are: restic's repository, in a directory, over SFTP or in S3."""

from __future__ import annotations

import json
import os
import subprocess
from concurrent.futures import ThreadPoolExecutor

import manifest
from shell import PATIENCE, Failure, Progress, run, sha256, started, watched

# What the tag begins with that says which Lago a backup is of.
RELEASE = "lago-"
MISSING = "Is there a repository at the following location?"


class NoBackup(Failure):
    """The repository can be read, and does not have it."""


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

    def _long(self, progress, counter, *arguments):
        """One that takes long; how far it is says the kernel, which counts what it reads and writes."""
        command = ["restic", *self._options, *arguments]
        with started(command, self._environment, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL) as process:
            watched(process, progress, lambda: transferred(process.pid, counter))

    def snapshots(self, host=None):
        """Those of this host, or of another one, or with an empty name of all; oldest first."""
        whose = [f"--host={self._host if host is None else host}"] if host != "" else []
        done = self.restic("snapshots", "--json", "--no-lock", f"--tag={self._tag}", *whose, check=False)
        if done.returncode and MISSING in done.stderr:
            return []
        if done.returncode:
            raise Failure(f"The repository {self.location} cannot be read: {done.stderr.strip()[-1000:]}")
        return sorted(json.loads(done.stdout) or [], key=lambda one: one["time"])

    def find(self, name, host=None):
        """By its name, of whatever host; the latest is the latest of one."""
        found = self.snapshots(host)
        if name == "latest":
            matching = found[-1:]
        else:
            named = [one for one in found if len(name) >= 8 and one["id"].startswith(name)]
            matching = named or [one for one in self.snapshots("") if len(name) >= 8 and one["id"].startswith(name)]
        if len(matching) != 1:
            known = ", ".join(one["short_id"] for one in found) or "none"
            raise NoBackup(f"There is no backup {name}. There are: {known}")
        return matching[0]

    def store(self, directory, release=""):
        """A backup is in the list when all of it is in the repository, and not before; `release` is Lago's."""
        command = ["restic", *self._options, "backup", "--json", "--ignore-ctime"]
        tags = [f"--tag={self._tag}", *([f"--tag={RELEASE}{release}"] if release else [])]
        command += [*tags, f"--host={self._host}", "."]
        environment = {**self._environment, "RESTIC_PROGRESS_FPS": str(1 / PATIENCE)}
        pipes = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "text": True, "cwd": directory}
        progress, snapshot = Progress("Storing"), None
        with started(command, environment, **pipes) as process:
            for message in map(json.loads, process.stdout):
                if message["message_type"] == "status" and message.get("total_bytes"):
                    progress.total = message["total_bytes"]
                    progress.at(message.get("bytes_done", 0))
                elif message["message_type"] == "summary":
                    snapshot = message["snapshot_id"]
        return snapshot

    def forget(self, keep, needed=""):
        """All that the rules do not keep, but the one that is needed: restic has no rule for that."""
        # All of the last day: a new backup must not push out the one of the same day that has passed its trial.
        rules = ["--keep-within=1d", *(f"--keep-{period}={number}" for period, number in keep.items() if number)]
        scope = [f"--tag={self._tag}", f"--host={self._host}", "--group-by=host"]
        groups = json.loads(self.restic("forget", "--json", "--dry-run", *scope, *rules).stdout or "[]") or []
        gone = [one["id"] for group in groups for one in group["remove"] or [] if one["id"] != needed]
        if gone:
            self.restic("forget", "--quiet", "--prune", *gone)

    def fetch(self, snapshot, directory):
        progress = Progress("Fetching", self.size(snapshot))
        self._long(progress, "wchar", "restore", snapshot["id"], f"--target={directory}")

    def fetch_part(self, snapshot, path, directory):
        """Of what is in it only that, and what is below it."""
        self.restic("restore", "--no-lock", snapshot["id"], f"--include=/{path}", f"--target={directory}")

    def size(self, snapshot):
        """Of its files, in bytes."""
        done = self.restic("stats", "--json", "--no-lock", "--mode=restore-size", snapshot["id"])
        return json.loads(done.stdout)["total_size"]

    def manifest_of(self, snapshot):
        """Without fetching all of it."""
        return json.loads(self.restic("dump", "--no-lock", snapshot["id"], f"/{manifest.NAME}").stdout)

    def damaged(self):
        """What is wrong with the stored bytes: one text each."""
        if not self.directory:
            return self._damaged_elsewhere()
        with ThreadPoolExecutor(max_workers=1) as aside:
            # Takes the same time for every size, most of it for the password: meanwhile the bytes are read.
            checked = aside.submit(self.restic, "check", "--no-lock", check=False)
            found, done = self.misnamed(), checked.result()
        if not found and done.returncode:
            found.append(done.stderr.strip()[-2000:])
        return found

    def _damaged_elsewhere(self):
        total = json.loads(self.restic("stats", "--json", "--no-lock", "--mode=raw-data").stdout)["total_size"]
        try:
            self._long(Progress("Reading the repository", total), "rchar", "check", "--read-data")
        except Failure as failure:
            return [str(failure)]
        return []

    def misnamed(self):
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


def release_of(snapshot):
    """Lago's, without a look into the backup."""
    tags = snapshot.get("tags") or []
    return next((tag.removeprefix(RELEASE) for tag in tags if tag.startswith(RELEASE)), "")


def transferred(process, counter):
    """Bytes that a process has read (rchar) or written (wchar), from the network as well."""
    try:
        with open(f"/proc/{process}/io", encoding="utf-8") as file:
            return int(dict(line.split(": ") for line in file)[counter])
    except (OSError, ValueError):
        # It has ended.
        return 0
