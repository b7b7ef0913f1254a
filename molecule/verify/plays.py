# SPDX-FileCopyrightText: 2026 The selfhosting.lago authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Runs of the playbook: those that Molecule made, as the callback `changes` wrote them down, and new ones."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
from dataclasses import dataclass
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
# Until a busy machine has ended some processes.
KILLED_SECONDS = 60


@dataclass(frozen=True)
class Run:
    """What one run announced (in check mode) or did on one host."""

    check: bool
    changes: dict
    tasks: list[str]
    invocations: dict[str, str]  # of the units, before the run

    @property
    def units(self) -> dict[str, str]:
        return self.changes["units"]


def recorded(host_name: str, directory: Path | None = None) -> list[Run]:
    """All runs on a host so far, oldest first."""
    directory = directory or Path(os.environ["CHANGES_DIRECTORY"])
    runs = [json.loads(path.read_text()) for path in sorted(directory.glob("*.json"))]
    return [Run(run["check"], **run["hosts"][host_name]) for run in runs if host_name in run["hosts"]]


def play(host_name: str, *arguments: str, playbook: str = "setup.yml", **variables: object) -> Run:
    """What the user's playbook does with these variables on top of the scenario's."""
    done = attempt(host_name, *arguments, playbook=playbook, **variables)
    assert done.returncode == 0, done.stdout + done.stderr
    return recorded(host_name)[-1]


def command(host_name: str, *arguments: str, playbook: str = "setup.yml", **variables: object) -> list[str]:
    return [
        "ansible-playbook",
        # The directory, as Molecule's own runs: a scenario may have hosts beside Molecule's.
        f"--inventory={Path(os.environ['MOLECULE_INVENTORY_FILE']).parent}",
        f"--limit={host_name}",
        f"--extra-vars={json.dumps(variables)}",
        *arguments,
        playbook,
    ]


def attempt(
    host_name: str, *arguments: str, playbook: str = "setup.yml", **variables: object
) -> subprocess.CompletedProcess[str]:
    """Such a run, which may fail."""
    process = begin(host_name, *arguments, playbook=playbook, **variables)
    try:
        output, errors = process.communicate()
    except BaseException:
        # Out of time: how far it came is what is asked for then.
        print(*kill(process), sep="\n")
        raise
    if process.returncode:
        # pytest shows it where the test fails, and shortens what an assertion compares.
        print(output, errors, sep="\n")
    return subprocess.CompletedProcess(process.args, process.returncode, output, errors)


def begin(host_name: str, *arguments: str, playbook: str = "setup.yml", **variables: object) -> subprocess.Popen[str]:
    """Such a run, which goes on by itself, with all its processes in a group of their own."""
    return subprocess.Popen(
        command(host_name, *arguments, playbook=playbook, **variables),
        cwd=REPOSITORY,
        # Molecule asks for colours, which stand in the middle of what tests look for.
        env={**os.environ, "ANSIBLE_FORCE_COLOR": "false", "ANSIBLE_NOCOLOR": "true"},
        # Nobody is at a terminal.
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def kill(run: subprocess.Popen[str]) -> tuple[str, str]:
    """With all that it has started: each worker of Ansible leads a session of its own and would go on with its task.

    Returns what it wrote to its output and to that of errors.
    """
    stopped: set[int] = set()
    # Who is stopped starts nobody any more; who was started before that is found the next time.
    while found := family(run.pid) - stopped:
        send(signal.SIGSTOP, found)
        stopped |= found
    send(signal.SIGKILL, stopped)
    # Its output ends with the last that holds it.
    return run.communicate(timeout=KILLED_SECONDS)


def family(process: int) -> set[int]:
    """A process and all that descend from it."""
    listed = subprocess.run(["ps", "-e", "-o", "pid=,ppid="], capture_output=True, text=True, check=True).stdout
    parents = [tuple(map(int, line.split())) for line in listed.splitlines()]
    found = [process]
    for one in found:
        found += [child for child, parent in parents if parent == one]
    return set(found)


def send(number: signal.Signals, processes: set[int]) -> None:
    for process in processes:
        with contextlib.suppress(ProcessLookupError):
            os.kill(process, number)
