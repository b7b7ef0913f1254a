# SPDX-FileCopyrightText: 2026 The selfhosting.lago authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Running commands, saying what is done, and the places where state is kept."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
IMAGES = REPOSITORY / "molecule" / "images"

# Containers, networks and volumes of the test bed carry this label: the run's name, or "shared" for what all runs use.
LABEL = "selfhosting.lago.testbed"
SHARED = "shared"

program = "testbed"  # who speaks: bin/demo uses the test bed, too


class TestbedError(Exception):
    """Something a user can read and act on."""

    __test__ = False  # pytest takes every class called Test... for a test


def say(message: str) -> None:
    """Progress goes to standard error: standard output belongs to what was asked for."""
    print(f"{program}: {message}", file=sys.stderr, flush=True)


def default_state_directory() -> Path:
    """Keys, logs and pids; per user, so that several clones share one engine and its images."""
    default = Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state") / "selfhosting-lago"
    return Path(os.environ.get("TESTBED_STATE") or default)


def state_directory() -> Path:
    directory = default_state_directory()
    directory.mkdir(parents=True, exist_ok=True, mode=0o700)
    return directory


@contextlib.contextmanager
def lock(name: str) -> Iterator[None]:
    """Two test beds started at once must not build one image twice or take one address twice."""
    with (state_directory() / f"{name}.lock").open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def run(*command: str, check: bool = True, stdin: str | None = None, env: dict[str, str] | None = None) -> str:
    """Run a command and return what it printed; a failure says what the command said."""
    done = subprocess.run(
        command,
        check=False,
        capture_output=True,
        text=True,
        input=stdin,
        env={**os.environ, **env} if env else None,
    )
    if check and done.returncode != 0:
        said = (done.stderr.strip() or done.stdout.strip())[-4000:]
        raise TestbedError(f"{shlex.join(command)} failed ({done.returncode}):\n{said}")
    return done.stdout.strip()


def docker(*arguments: str, check: bool = True, stdin: str | None = None) -> str:
    # The classic builder is there with every Docker; buildx is a package of its own.
    return run("docker", *arguments, check=check, stdin=stdin, env={"DOCKER_BUILDKIT": "0"})


def apt_install(*packages: str) -> None:
    say(f"installing {' '.join(packages)}")
    quiet = {"DEBIAN_FRONTEND": "noninteractive"}
    run("apt-get", "update", "-qq", env=quiet)
    run("apt-get", "install", "-y", "-qq", "--no-install-recommends", *packages, env=quiet)
