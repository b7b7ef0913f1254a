# SPDX-FileCopyrightText: 2026 The selfhosting.lago authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""A client that asks the API without a pause, to see whether a run disturbs it."""

from __future__ import annotations

import socket
import ssl
import threading
import time
from http.client import HTTPException, HTTPResponse

INTERVAL_SECONDS = 0.05
# A request that takes longer has failed for whoever waits for it.
TIMEOUT_SECONDS = 5


class Poller:
    """One request every 50 ms, each with a connection of its own, until the block ends."""

    def __init__(self, address: str, hostname: str, path: str, key: str):
        self.address, self.hostname = address, hostname
        self.request = (
            f"GET {path} HTTP/1.1\r\nHost: {hostname}\r\nAuthorization: Bearer {key}\r\nConnection: close\r\n\r\n"
        )
        self.tls = ssl.create_default_context()
        # The certificate is Traefik's own; what is watched is whether the API answers.
        self.tls.check_hostname = False
        self.tls.verify_mode = ssl.CERT_NONE
        self.durations: list[float] = []
        self.failures: list[str] = []
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._poll)

    def __enter__(self) -> Poller:
        self._thread.start()
        return self

    def __exit__(self, *_exception) -> None:
        self._end.set()
        self._thread.join()

    def answers_within(self, seconds: float) -> bool:
        end = time.monotonic() + seconds
        while self.failure() and time.monotonic() < end:
            time.sleep(INTERVAL_SECONDS)
        return not self.failure()

    def _poll(self) -> None:
        due = time.monotonic()
        while not self._end.wait(max(0, due - time.monotonic())):
            begin = time.monotonic()
            if failure := self.failure():
                self.failures.append(failure)
            self.durations.append(time.monotonic() - begin)
            due = max(due + INTERVAL_SECONDS, time.monotonic())

    def failure(self) -> str:
        """What is wrong with the answer; empty where nothing is."""
        try:
            status = self.status()
        except (OSError, HTTPException) as error:
            return f"{type(error).__name__}: {error}"
        return "" if status == 200 else f"HTTP {status}"

    def status(self) -> int:
        with (
            socket.create_connection((self.address, 443), timeout=TIMEOUT_SECONDS) as plain,
            self.tls.wrap_socket(plain, server_hostname=self.hostname) as connection,
        ):
            connection.sendall(self.request.encode())
            response = HTTPResponse(connection)
            response.begin()
            response.read()
            return response.status
