# SPDX-FileCopyrightText: 2026 The selfhosting.lago authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Usage events, sent as a user's program sends them, and counted where Lago keeps them."""

from __future__ import annotations

import contextlib
import os
import secrets
import socket
import time
from collections.abc import Iterator
from dataclasses import dataclass

import httpx
from lago_python_client.client import Client
from lago_python_client.exceptions import LagoApiError
from lago_python_client.models import BatchEvent, Event
from testbed.shell import TestbedError, say

from . import server, state
from .state import HOST, RUN, SERVER, Demo

BATCH = 50  # Lago takes 100 at most
ROUTE_SECONDS = 60


@dataclass(frozen=True)
class Sent:
    number: int
    subscription: str
    seconds: float


def send(demo: Demo, address: str, number: int) -> Sent:
    """Each run has a subscription of its own, so that its events can be counted."""
    subscription = f"demo-{secrets.token_hex(4)}"
    client = Client(api_key=state.login()["api_key"], api_url=f"https://{HOST}/")
    try:
        with name_resolution(address), trusting(str(state.certificate())):
            wait_for_the_route()
            began = time.monotonic()
            for first in range(0, number, BATCH):
                client.events.batch_create(BatchEvent(events=events(subscription, range(first, first + BATCH))))
    except LagoApiError as error:
        raise refused(f"{error.status_code} {error.detail} {error.response or ''}") from error
    except httpx.HTTPError as error:
        raise refused(str(error)) from error
    seconds = time.monotonic() - began
    say(f"sent {number} events to https://{HOST}/ with lago-python-client in {seconds:.1f} s")
    return Sent(number, subscription, seconds)


def refused(reason: str) -> TestbedError:
    return TestbedError(
        f"Lago did not take the events: {reason}\n"
        f"What it says: bin/testbed --run {RUN} exec {SERVER} journalctl --unit=mash-lago-api"
    )


def wait_for_the_route() -> None:
    """Traefik hears of a new container two seconds after its start; till then it answers 503 and `Retry-After`."""
    deadline = time.monotonic() + ROUTE_SECONDS
    while httpx.get(f"https://{HOST}/api/v1/organizations").status_code == 503 and time.monotonic() < deadline:
        time.sleep(0.2)


def events(subscription: str, numbers: range) -> list[Event]:
    return [
        Event(
            transaction_id=f"{subscription}-{number}",
            external_subscription_id=subscription,
            code="demo_calls",
            timestamp=int(time.time()),
            properties={"number": number},
        )
        for number in numbers
    ]


@contextlib.contextmanager
def name_resolution(address: str) -> Iterator[None]:
    """The host name means the server, in this program only: the machine's /etc/hosts is not ours."""
    resolve = socket.getaddrinfo

    def to_the_server(host, *arguments, **options):
        return resolve(address if host in (HOST, HOST.encode()) else host, *arguments, **options)

    socket.getaddrinfo = to_the_server
    try:
        yield
    finally:
        socket.getaddrinfo = resolve


@contextlib.contextmanager
def trusting(certificate: str) -> Iterator[None]:
    """The client's HTTP library reads the certificates it trusts from here, and asks no proxy."""
    before = os.environ.copy()
    os.environ.update(SSL_CERT_FILE=certificate, NO_PROXY=HOST, no_proxy=HOST)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


def count(address: str, sent: Sent) -> int:
    query = f"SELECT count(*) FROM events WHERE external_subscription_id = '{sent.subscription}'"
    command = "docker exec --interactive mash-postgres psql --username=root --dbname=lago --no-align --tuples-only"
    return int(server.ssh(address, command, stdin=query))
