# SPDX-FileCopyrightText: 2026 The selfhosting.lago authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Commands, and what is said about long ones. Standard library only, Python 3.9 and newer."""

from __future__ import annotations

import contextlib
import hashlib
import math
import os
import subprocess
import sys
import tempfile
import time

CHUNK = 1024 * 1024
# Seconds between two lines about something that takes long.
PATIENCE = 5


class Failure(Exception):
    """What a person has to know; nothing was kept of what was being made."""


def say(text):
    print(text, flush=True)


def debug(text):
    """Progress: systemd takes the prefix as the priority of the line."""
    print(f"<7>{text}", flush=True)


def sized(count):
    for unit in ("B", "kB", "MB", "GB"):
        if count < 1000 or unit == "GB":
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1000
    return ""


def lasting(seconds):
    minutes, seconds = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes}:{seconds:02}"


class Progress:
    """A line every few seconds: what, how far, how long already, how long still."""

    def __init__(self, what, total=0, clock=time.monotonic, shown=sized):
        """`shown` makes a text of a number: bytes, unless it counts something else."""
        self.what, self.total, self.done, self.shown = what, total, 0, shown
        self._clock = clock
        self._start = self._last = clock()

    def line(self):
        elapsed = self._clock() - self._start
        text = f"{self.what}: {self.shown(self.done)}"
        if self.total:
            text += f" of about {self.shown(self.total)}"
        text += f", {lasting(elapsed)} so far"
        # At the very beginning nobody can tell.
        if self.total > self.done > self.total / 100:
            text += f", about {lasting(elapsed * (self.total - self.done) / self.done)} to go"
        return text

    def add(self, count):
        self.at(self.done + count)
        if self._clock() - self._last >= PATIENCE:
            self._last = self._clock()
            self.tell()

    def at(self, count):
        self.done = count

    def tell(self):
        debug(self.line())


def run(command, check=True, stdin=None, environment=None, timeout=None, what=None):
    """The finished command; one that fails says what it said. `what` takes long and cannot tell how far it is."""
    environment = dict(os.environ, LC_ALL="C", **(environment or {}))
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True, "errors": "replace"}
    start, feeding = time.monotonic(), None if stdin is None else subprocess.PIPE
    deadline = start + timeout if timeout else math.inf
    with subprocess.Popen(command, stdin=feeding, env=environment, **pipes) as process:
        try:
            while process.returncode is None:
                wait = min(PATIENCE if what else math.inf, deadline - time.monotonic())
                try:
                    output, errors = process.communicate(stdin, timeout=None if wait == math.inf else max(0, wait))
                except subprocess.TimeoutExpired:
                    if time.monotonic() >= deadline:
                        raise Failure(f"{shown(command)} did not end within {timeout} s") from None
                    # What it is given is given once.
                    stdin = None
                    if what:
                        debug(f"{what}: {lasting(time.monotonic() - start)} so far")
        except BaseException:
            process.kill()
            raise
    done = subprocess.CompletedProcess(command, process.returncode, output, errors)
    if check and done.returncode:
        raise Failure(f"{shown(command)} ended with {done.returncode}: {(done.stderr or done.stdout).strip()[-2000:]}")
    return done


def shown(command):
    """Enough of a command to know it by; secrets never stand in one."""
    return " ".join(command[:6])


@contextlib.contextmanager
def started(command, environment=None, **pipes):
    """A command while it runs. After the block it has ended well; otherwise what it said is the failure."""
    # A file, no pipe: one that says a lot does not stand still because nobody reads it.
    with tempfile.TemporaryFile() as said:
        environment = dict(os.environ, LC_ALL="C", **(environment or {}))
        with subprocess.Popen(command, stderr=said, env=environment, **pipes) as process:
            try:
                yield process
            except BaseException:
                process.kill()
                raise
        if process.returncode:
            said.seek(0)
            text = said.read().decode(errors="replace").strip()
            raise Failure(f"{shown(command)} ended with {process.returncode}: {text[-2000:]}")


def stream(command, path, progress, environment=None):
    """The output of a command as a file, written here: a full disk is an error, and no pipe that breaks elsewhere."""
    with started(command, environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE) as process:
        try:
            with open(path, "wb") as file:
                for chunk in iter(lambda: process.stdout.read(CHUNK), b""):
                    file.write(chunk)
                    progress.add(len(chunk))
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            raise Failure(f"{path} cannot be written: {error.strerror}") from error


def watched(process, progress, reached):
    """Until a command has ended; `reached` says how far it is."""
    while True:
        try:
            return process.wait(timeout=PATIENCE)
        except subprocess.TimeoutExpired:
            progress.at(reached())
            progress.tell()


def feed(command, path, progress, environment=None):
    """A command that reads a file as its input."""
    with open(path, "rb") as file, started(command, environment, stdin=file, stdout=subprocess.DEVNULL) as process:
        # The command reads through the same position.
        watched(process, progress, lambda: os.lseek(file.fileno(), 0, os.SEEK_CUR))
        progress.at(os.lseek(file.fileno(), 0, os.SEEK_CUR))


def sha256(path, progress=None):
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        for chunk in iter(lambda: file.read(CHUNK), b""):
            digest.update(chunk)
            if progress:
                progress.add(len(chunk))
    return digest.hexdigest()


def fail(text):
    print(f"<3>{text}", file=sys.stderr, flush=True)
