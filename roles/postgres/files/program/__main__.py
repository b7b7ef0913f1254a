# SPDX-FileCopyrightText: 2026 The selfhosting.lago authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Upkeep of Postgres. Run by units and by the programs in its directory bin; see docs/services/postgres.md."""

from __future__ import annotations

import argparse
import fcntl
import json
import os
import sys

import clients
import dump_all
import dump_import
import major_upgrade
import partitions
import shell
import vacuum
from shell import Failure, fail

CONFIGURATION = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "program.json")
WORK = {"upgrade": major_upgrade.upgrade, "import": dump_import.load, "vacuum": vacuum.vacuum}


def told(configuration, verb):
    """What the playbook says of this run."""
    path = os.path.join(configuration["state_path"], f"{verb}.json")
    try:
        with open(path, encoding="utf-8") as file:
            arguments = json.load(file)
    except FileNotFoundError:
        tag = {"upgrade": "upgrade-postgres", "import": "import-postgres", "vacuum": "run-postgres-vacuum"}[verb]
        raise Failure(f"It is started by the playbook: --tags={tag}") from None
    os.unlink(path)
    return arguments


def recover(configuration):
    state = clients.State(configuration)
    if state.get("databases"):
        dump_import.undo(configuration, state.get("databases"))
        state.note(databases={})
    clients.recover(configuration, state, major_upgrade.finish)


def work(configuration, verb):
    recover(configuration)
    try:
        WORK[verb](configuration, told(configuration, verb), clients.State(configuration))
    finally:
        recover(configuration)


def speak_to_a_terminal():
    """Without the marks that the journal reads; progress stays on one line, and away where nobody looks."""
    shell.debug = (
        (lambda text: print(f"\r\033[K{text}", end="", flush=True)) if sys.stdout.isatty() else lambda _text: None
    )
    end = "\r\033[K" if sys.stdout.isatty() else ""
    for module in (shell, dump_all):
        module.say = lambda text: print(end + text, flush=True)
    return lambda text: print(text, file=sys.stderr)


def main():
    parser = argparse.ArgumentParser(prog="postgres", description=__doc__)
    parser.add_argument("verb", choices=[*WORK, "recover", "partitions", "dump-all"])
    parser.add_argument("directory", nargs="?")
    arguments = parser.parse_args()
    complain = fail if "JOURNAL_STREAM" in os.environ else speak_to_a_terminal()
    try:
        with open(CONFIGURATION, encoding="utf-8") as file:
            configuration = json.load(file)
        if arguments.verb == "dump-all":
            if not arguments.directory:
                raise Failure("Where to? dump-all DIRECTORY")
            return dump_all.dump_all(configuration, arguments.directory)
        os.umask(0o077)
        with open(os.path.join(configuration["state_path"], "lock"), "w", encoding="utf-8") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if arguments.verb == "recover":
                recover(configuration)
            elif arguments.verb == "partitions":
                partitions.maintain(configuration)
            else:
                work(configuration, arguments.verb)
    except (Failure, OSError) as error:
        complain(str(error))
        sys.exit(1)


if __name__ == "__main__":
    main()
