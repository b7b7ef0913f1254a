# SPDX-FileCopyrightText: 2026 The selfhosting.lago authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Running one command with a log, a time limit and an end that takes its children with it."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

# What a command gets for an orderly end before it is killed.
GRACE_SECONDS = 20
# How often the log of a step is looked at for new lines to show.
LIVE_INTERVAL_SECONDS = 0.2


class Processes:
    """Commands under way, so that an interruption can end all of them."""

    def __init__(self, environment: dict[str, str]) -> None:
        self.environment = environment
        self._running: set[subprocess.Popen[bytes]] = set()
        self._lock = threading.Lock()
        self._stopped = False

    def run(self, command: str, log: Path, limit: float, live: bool = False) -> int | None:
        """Exit code, or None after the time limit."""
        with log.open("ab") as file, showing(log) if live else contextlib.nullcontext():
            process = self._start(command, file.fileno())
            if process is None:
                return -signal.SIGTERM
            try:
                return process.wait(limit)
            except subprocess.TimeoutExpired:
                end(process)
                return None
            finally:
                with self._lock:
                    self._running.discard(process)

    def _start(self, command: str, output: int) -> subprocess.Popen[bytes] | None:
        with self._lock:
            if self._stopped:
                return None
            process = subprocess.Popen(
                command,
                shell=True,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=self.environment,
                start_new_session=True,
            )
            self._running.add(process)
            return process

    def stop(self) -> None:
        """End everything under way and start nothing more."""
        with self._lock:
            self._stopped = True
            running = list(self._running)
        threads = [threading.Thread(target=end, args=(process,)) for process in running]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    def allow(self) -> None:
        """Start commands again after stop(): the cleanups."""
        with self._lock:
            self._stopped = False


@contextlib.contextmanager
def showing(log: Path):
    """Show on standard output what gets written to a log meanwhile."""
    done = threading.Event()

    def show() -> None:
        with log.open("rb") as file:
            file.seek(0, os.SEEK_END)
            last = False
            while not last:
                last = done.wait(LIVE_INTERVAL_SECONDS)
                sys.stdout.buffer.write(file.read())
                sys.stdout.buffer.flush()

    thread = threading.Thread(target=show)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


def end(process: subprocess.Popen[bytes]) -> None:
    """Ask the process and its children to end, and kill what does not."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(GRACE_SECONDS)
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
