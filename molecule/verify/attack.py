# SPDX-FileCopyrightText: 2026 The selfhosting.lago authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Sends requests byte by byte as they are, and finds out which of them Lago saw."""

from __future__ import annotations

import http.client
import queue
import re
import socket
import ssl
import threading
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from .malformed import Request
from .outside import Site

# What only the private pages of the stand-in for Lago's API say.
PRIVATE_CONTENT = [
    b"lago_info{",
    b"karafka\n",
    b"<title>[Sidekiq]",
    b"lago-api/tree",
    b'"message":"ready"',
    b'"message":"Success"',
]
STARTED = re.compile(r'\[([0-9a-f-]+)\] Started (\S+) "(.*)"(?: ?\[[A-Za-z-]+\])? for \S+ at')
HEALTH_CHECK = ("GET", "/health")
PROCESSING = re.compile(r"\[([0-9a-f-]+)\] Processing by (\S+)")
PRIVATE_CONTROLLERS = ("MetricsController", "GuardedController", "ApplicationController")
# Seconds for an answer; a server that waits for more of a request is left alone then.
PATIENCE = 5


@dataclass
class Outcome:
    answers: Counter[str] = field(default_factory=Counter)  # kind and status, or what happened instead
    leaks: list[str] = field(default_factory=list)
    sent: int = 0


class Sender(threading.Thread):
    def __init__(self, site: Site, waiting: queue.SimpleQueue, outcome: Outcome):
        super().__init__(daemon=True)
        self.site, self.waiting, self.outcome = site, waiting, outcome
        self.connection: ssl.SSLSocket | None = None

    def run(self) -> None:
        while True:
            try:
                request = self.waiting.get_nowait()
            except queue.Empty:
                return
            try:
                status = self.send(request)
            except (OSError, http.client.HTTPException, ValueError) as error:
                status = type(error).__name__
                self.close()
            self.outcome.answers[f"{request.kind} {status}"] += 1
            self.outcome.sent += 1

    def send(self, request: Request) -> str:
        if self.connection is None:
            plain = socket.create_connection((self.site.address, 443), timeout=PATIENCE)
            self.connection = self.site.context.wrap_socket(plain, server_hostname=self.site.hostname)
        self.connection.sendall(request.payload)
        if not request.complete:
            # What comes at once is read; no answer is owed.
            self.connection.settimeout(0.05)
        method = request.payload.split(b" ", 1)[0].decode("latin-1")
        response = http.client.HTTPResponse(self.connection, method=method)
        response.begin()
        body = response.read()
        if any(content in body for content in PRIVATE_CONTENT):
            self.outcome.leaks.append(f"{request.payload[:300]!r}: {response.status} {body[:100]!r}")
        if request.ends_connection or response.will_close:
            self.close()
        return str(response.status)

    def close(self) -> None:
        if self.connection is not None:
            self.connection.close()
            self.connection = None


def send(site: Site, requests: Iterable[Request], connections: int = 16) -> Outcome:
    waiting: queue.SimpleQueue = queue.SimpleQueue()
    for request in requests:
        waiting.put(request)
    outcomes = [Outcome() for _ in range(connections)]
    senders = [Sender(site, waiting, outcome) for outcome in outcomes]
    for sender in senders:
        sender.start()
    for sender in senders:
        sender.join()
    total = Outcome()
    for outcome in outcomes:
        total.answers += outcome.answers
        total.leaks += outcome.leaks
        total.sent += outcome.sent
    return total


def is_public(path: str, public: Iterable[dict]) -> bool:
    """Whether a path as Lago got it is one of the list. Rails resolves no dots, so there must be none left."""
    bare = path.split("?", 1)[0]
    if {".", ".."} & set(bare.split("/")):
        return False
    return any(bare.startswith(one["path"]) if one["match"] == "prefix" else bare == one["path"] for one in public)


def seen_by_lago(log: str) -> tuple[list[str], list[str]]:
    """Paths that requests had when they came to Rails, and the controllers that answered them.

    Without Traefik's own health check; that its answer went to somebody else is seen by its content.
    """
    started = {match[1]: match for match in STARTED.finditer(log) if match.group(2, 3) != HEALTH_CHECK}
    controllers = [match[2] for match in PROCESSING.finditer(log) if match[1] in started]
    return [match[3] for match in started.values()], controllers
