# SPDX-FileCopyrightText: 2026 The selfhosting.lago authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Backups of one server: make, try, list, fetch, restore. Run by the units of this name; see docs/operations.md."""

from __future__ import annotations

import argparse
import contextlib
import fcntl
import json
import os
import sys
import time

import backup
import manifest
import rehearsal
import resend
import since
import trial
from report import Results
from repository import Repository, release_of
from restore import Restore
from shell import Failure, fail, say

CONFIGURATION = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "backup.json")


def make(configuration, repository, _arguments):
    backup.make(configuration, repository)
    Results(configuration).metrics(repository.snapshots())


def verify(configuration, repository, arguments):
    results = Results(configuration)
    snapshot = repository.find(arguments.name)
    started = time.monotonic()
    say(f"Trying backup {snapshot['short_id']} of {snapshot['time'][:19]}")
    problems = repository.damaged()
    if not problems and not arguments.checksums:
        problems = tried(configuration, repository, snapshot)
    if problems or not arguments.checksums:
        known = repository.snapshots()
        content = {} if problems else repository.manifest_of(snapshot)
        queue = content.get("queue_elsewhere", "")
        results.add(snapshot, problems, time.time(), {one["id"] for one in known}, queue)
        results.metrics(known)
    seconds = time.monotonic() - started
    if problems:
        listed = "\n".join(f"  {number}. {problem}" for number, problem in enumerate(problems, 1))
        raise Failure(f"Backup {snapshot['short_id']} is BAD ({seconds:.0f} s):\n{listed}")
    what = "its bytes are as they were stored" if arguments.checksums else "restored on trial and compared"
    say(f"Backup {snapshot['short_id']} is good: {what} ({seconds:.0f} s)")


@contextlib.contextmanager
def fetched(configuration, repository, snapshot):
    """A directory to work in, with the backup in its directory `set`."""
    work = os.path.join(configuration["data_path"], "work", "trial")
    backup.clear(work)
    directory = os.path.join(work, "set")
    os.makedirs(directory, mode=0o700)
    try:
        say("Fetching it")
        repository.fetch(snapshot, directory)
        yield work, directory
    finally:
        backup.clear(work)


def tried(configuration, repository, snapshot):
    try:
        with fetched(configuration, repository, snapshot) as (work, directory):
            return trial.Trial(configuration, directory, work).problems()
    except (Failure, OSError, ValueError, KeyError) as error:
        return [f"{type(error).__name__}: {error}" if not isinstance(error, Failure) else str(error)]


def rehearse(configuration, repository, _arguments):
    with open(os.path.join(configuration["data_path"], rehearsal.REQUEST), encoding="utf-8") as file:
        request = json.load(file)
    snapshot = repository.find(request["backup"])
    say(f"Rehearsing on backup {snapshot['short_id']} of {snapshot['time'][:19]}")
    with fetched(configuration, repository, snapshot) as (work, directory):
        rehearsal.rehearse(configuration, directory, work, request["hops"])


def asked(configuration, name):
    with open(os.path.join(configuration["data_path"], name), encoding="utf-8") as file:
        return json.load(file)


def count_since(configuration, repository, _arguments):
    since.since(configuration, repository, asked(configuration, "rollback.json"))


def send_again(configuration, _repository, _arguments):
    resend.resend(configuration, asked(configuration, "resend.json"))


def restore(configuration, repository, _arguments):
    Restore(configuration, repository).run()


def fetch(_configuration, repository, arguments):
    directory = arguments.directory
    if os.path.isdir(directory) and os.listdir(directory):
        raise Failure(f"{directory} is not empty. Name a directory that is, or one to be made.")
    snapshot = repository.find(arguments.name)
    os.makedirs(directory, mode=0o700, exist_ok=True)
    repository.fetch(snapshot, directory)
    problems = manifest.differences(manifest.read(directory), directory)
    if problems:
        raise Failure(f"Backup {snapshot['short_id']} is not whole: {'; '.join(problems)}")
    say(f"Backup {snapshot['short_id']} of {snapshot['time'][:19]} is in {directory}; its checksums are right")


def show(configuration, repository, _arguments):
    results = Results(configuration)
    snapshots = repository.snapshots()
    for one in snapshots:
        say(f"{one['short_id']}  {one['time'][:19].replace('T', ' ')}  {release_of(one):<8}  {results.of(one)}")
    if not snapshots:
        say("There is no backup yet")


def main():
    parser = argparse.ArgumentParser(prog="backup", description=__doc__)
    verbs = parser.add_subparsers(dest="verb", required=True)
    verbs.add_parser("make").set_defaults(run=make)
    verbs.add_parser("list").set_defaults(run=show)
    one = verbs.add_parser("verify")
    one.add_argument("name", nargs="?", default="latest")
    one.add_argument("--checksums", action="store_true")
    one.set_defaults(run=verify)
    verbs.add_parser("restore").set_defaults(run=restore)
    verbs.add_parser("since").set_defaults(run=count_since)
    verbs.add_parser("resend").set_defaults(run=send_again)
    verbs.add_parser("rehearse").set_defaults(run=rehearse)
    one = verbs.add_parser("fetch")
    one.add_argument("name")
    one.add_argument("directory")
    one.set_defaults(run=fetch)
    arguments = parser.parse_args()
    os.umask(0o077)
    try:
        with open(CONFIGURATION, encoding="utf-8") as file:
            configuration = json.load(file)
        with open(os.path.join(configuration["data_path"], "lock"), "w", encoding="utf-8") as lock:
            if arguments.verb != "list":
                # One at a time: a nightly backup waits for a trial that takes long.
                fcntl.flock(lock, fcntl.LOCK_EX)
            arguments.run(configuration, Repository(configuration), arguments)
    except (Failure, OSError) as error:
        fail(str(error))
        sys.exit(1)


if __name__ == "__main__":
    main()
