# SPDX-FileCopyrightText: 2026 The selfhosting.lago authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""The site as its users reach it: by name, over the network, with its certificate checked."""

from __future__ import annotations

import contextlib
import http.client
import json
import socket
import ssl
import threading
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import websocket
from lago_python_client.client import Client
from lago_python_client.models import Event


@dataclass
class Answer:
    status: int
    headers: http.client.HTTPMessage
    body: bytes

    @property
    def from_lago(self) -> bool:
        """Rails says how long it took; neither nginx nor Traefik has this header."""
        return "x-runtime" in self.headers

    @property
    def json(self) -> dict:
        return json.loads(self.body)

    def __str__(self) -> str:
        return f"{self.status} {self.headers.get('location', '')} {self.body[:80]!r}"


@dataclass
class Site:
    hostname: str
    address: str
    certificates: Path  # the authorities to trust
    api_key: str = ""

    @property
    def url(self) -> str:
        return f"https://{self.hostname}"

    @cached_property
    def context(self) -> ssl.SSLContext:
        return ssl.create_default_context(cafile=str(self.certificates))

    def request(
        self, method: str, path: str, body: object = None, *, tls: bool = True, timeout: float = 20, **headers: str
    ) -> Answer:
        """One request with exactly this path: nothing is resolved or encoded on the way."""
        payload = body if body is None or isinstance(body, bytes | str) else json.dumps(body)
        names = {name.replace("_", "-"): value for name, value in headers.items()}
        if tls:
            connection = http.client.HTTPSConnection(self.hostname, context=self.context, timeout=timeout)
        else:
            connection = http.client.HTTPConnection(self.hostname, timeout=timeout)
        with contextlib.closing(connection):
            connection.request(method, path, payload, {"Content-Type": "application/json", **names})
            response = connection.getresponse()
            return Answer(response.status, response.headers, response.read())

    def get(self, path: str, **headers: str) -> Answer:
        return self.request("GET", path, **headers)

    def post(self, path: str, body: object = None, **headers: str) -> Answer:
        return self.request("POST", path, {} if body is None else body, **headers)

    def graphql(self, query: str, path: str = "/graphql", **variables: object) -> dict:
        return self.post(path, {"query": query, "variables": variables}).json

    def client(self, path: str = "") -> Client:
        """The vendor's own API client."""
        return Client(api_key=self.api_key, api_url=self.url + path)

    @property
    def authorization(self) -> str:
        return f"Bearer {self.api_key}"

    def post_event(self, path: str = "/api/v1/events", timeout: float = 20) -> Answer:
        """As other clients than Python's send one."""
        event = new_event().dict()
        return self.request("POST", path, {"event": event}, timeout=timeout, Authorization=self.authorization)

    def cable(self, path: str) -> websocket.WebSocket:
        return websocket.create_connection(
            f"wss://{self.hostname}{path}",
            subprotocols=["actioncable-v1-json"],
            timeout=20,
            sslopt={"ca_certs": str(self.certificates)},
        )

    @contextlib.contextmanager
    def answering(self) -> Iterator[None]:
        """Within, the host name leads to the server, for whatever program library asks."""
        real = socket.getaddrinfo

        def getaddrinfo(host, *arguments, **options):
            name = host.decode() if isinstance(host, bytes) else host
            return real(self.address if name == self.hostname else host, *arguments, **options)

        socket.getaddrinfo = getaddrinfo
        try:
            yield
        finally:
            socket.getaddrinfo = real

    @contextlib.contextmanager
    def watched(self, every: float = 0.2) -> Iterator[list[Answer]]:
        """Within, events are sent all the time; what is answered is in the list afterwards and meanwhile."""
        answers: list[Answer] = []
        done = threading.Event()

        def send() -> None:
            while not done.wait(every):
                # A request that hangs in a stopped process has no answer: that is not one by the wrong program.
                with contextlib.suppress(OSError, http.client.HTTPException):
                    answers.append(self.post_event(timeout=2))

        thread = threading.Thread(target=send, daemon=True)
        thread.start()
        try:
            yield answers
        finally:
            done.set()
            thread.join(timeout=10)


def new_event(**changes: object) -> Event:
    values = {"transaction_id": str(uuid.uuid4()), "external_subscription_id": "subscription", "code": "calls"}
    return Event(**(values | {"timestamp": int(time.time())} | changes))
