# SPDX-FileCopyrightText: 2026 The selfhosting.lago authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""A client that must not lose an event: it sends one after the other, each again and again until it is accepted."""

from __future__ import annotations

import contextlib
import http.client
import json
import threading
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field

from verify.outside import Site, new_event
from verify.waiting import eventually

# Enough that some request is always under way, and few enough for a small machine.
SENDERS = 3
# Between two tries of one event; short, so that the end of an outage is seen.
RETRY = 0.25
# The vendor's client gives up a request after as long.
TIMEOUT = 10
# A run that never gets well ends all the same. More than three senders send in that time.
MOST_EVENTS = 20000
MOST_SECONDS = 600
# For what is under way in the end, where nobody answers any more.
LAST_SECONDS = 30
ALREADY_THERE = "value_already_exist"


@dataclass(frozen=True)
class Attempt:
    """One request: when, and the status that was answered; none without an answer."""

    event: str
    begin: float
    end: float
    status: int | None
    code: str = ""  # what Lago says to the transaction id

    @property
    def accepted(self) -> bool:
        return self.status is not None and 200 <= self.status < 300

    @property
    def failed(self) -> bool:
        return not self.accepted and self.code != ALREADY_THERE

    @property
    def retryable(self) -> bool:
        """What a client sends again: no answer, an error of the server, or "too many requests"."""
        return self.status is None or self.status >= 500 or self.status == 429


def is_accepted(attempt: Attempt, first: bool) -> bool:
    """That an event exists already is good news to whoever has sent it before."""
    return attempt.accepted or (not first and attempt.status == 422 and attempt.code == ALREADY_THERE)


@dataclass
class Sender:
    site: Site
    pause: float
    prefix: str = field(default_factory=lambda: f"fault-{uuid.uuid4().hex[:12]}")
    attempts: list[Attempt] = field(default_factory=list)
    accepted: dict[str, int] = field(default_factory=dict)  # event: attempts it took
    final: list[Attempt] = field(default_factory=list)  # a client would give up here, and the event is lost
    numbers: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)
    stop: threading.Event = field(default_factory=threading.Event)
    give_up: float = field(default_factory=lambda: time.monotonic() + MOST_SECONDS)

    def next_event(self) -> str | None:
        with self.lock:
            self.numbers += 1
            bounded = self.numbers > MOST_EVENTS or time.monotonic() > self.give_up
            return None if bounded or self.stop.is_set() else f"{self.prefix}-{self.numbers}"

    def run(self) -> None:
        while event := self.next_event():
            self.deliver(event)
            self.stop.wait(self.pause)

    def deliver(self, event: str) -> None:
        tries = 0
        while time.monotonic() < self.give_up:
            attempt = self.attempt(event)
            self.attempts.append(attempt)
            tries += 1
            if is_accepted(attempt, first=tries == 1):
                self.accepted[event] = tries
                return
            if not attempt.retryable:
                self.final.append(attempt)
                return
            time.sleep(RETRY)

    def attempt(self, event: str) -> Attempt:
        body = {"event": new_event(transaction_id=event).dict()}
        begin = time.monotonic()
        try:
            answer = self.site.request(
                "POST", "/api/v1/events", body, timeout=TIMEOUT, Authorization=self.site.authorization
            )
        except (OSError, http.client.HTTPException):
            return Attempt(event, begin, time.monotonic(), None)
        return Attempt(event, begin, time.monotonic(), answer.status, code_of(answer.body))

    def wait_for_success(self, seconds: float) -> None:
        """Requests that begin from now on are answered well, one by each sender."""
        now = time.monotonic()
        eventually(
            lambda: sum(attempt.accepted for attempt in self.attempts if attempt.begin > now) >= SENDERS,
            seconds=seconds,
        )


def code_of(body: bytes) -> str:
    with contextlib.suppress(ValueError, KeyError, TypeError, IndexError):
        return json.loads(body)["error_details"]["transaction_id"][0]
    return ""


@contextlib.contextmanager
def sending(site: Site, pause: float) -> Iterator[Sender]:
    """Within, events are sent; what is under way at the end is brought to its end.

    Raises AssertionError where that takes too long: what was not answered cannot be counted.
    """
    sender = Sender(site, pause)
    threads = [threading.Thread(target=sender.run, daemon=True) for _ in range(SENDERS)]
    for thread in threads:
        thread.start()
    try:
        yield sender
    finally:
        sender.stop.set()
        sender.give_up = min(sender.give_up, time.monotonic() + LAST_SECONDS)
        for thread in threads:
            thread.join(timeout=LAST_SECONDS + TIMEOUT)
        assert not any(thread.is_alive() for thread in threads), "a request had no end"
