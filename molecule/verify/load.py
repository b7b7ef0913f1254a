# SPDX-FileCopyrightText: 2026 The selfhosting.lago authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Events without pause while something happens to the server: what was answered, and what arrived."""

from __future__ import annotations

import contextlib
import http.client
import threading
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

from . import inside
from .outside import Site, new_event

# Enough that some request is always under way, and few enough for a small machine.
SENDERS = 3
PAUSE = 0.05
# On a machine with a lot to do, an API that is being stopped holds a request for that long before it is cut off.
ANSWER_SECONDS = 90


@dataclass
class Load:
    """One entry a request, in the order of the answers: its transaction id, and the status or what broke."""

    answers: list[tuple[str, int | str]] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def failed(self) -> list[int | str]:
        return [answer for _id, answer in self.answers if answer != 200]

    @property
    def accepted(self) -> list[str]:
        return [transaction_id for transaction_id, answer in self.answers if answer == 200]

    def assert_all_arrived(self, host) -> None:
        """Each event that was accepted is there once, and none was refused."""
        assert self.failed == [], f"of {len(self.answers)} requests in {self.seconds:.0f} s"
        assert len(self.accepted) > self.seconds, "hardly anything was sent"
        assert inside.event_rows(host, self.accepted) == len(self.accepted)


@contextlib.contextmanager
def load(site: Site, *, senders: int = SENDERS, pause: float = PAUSE) -> Iterator[Load]:
    """Within, events are sent all the time, each over a connection of its own and none twice."""
    found, done = Load(), threading.Event()

    def send() -> None:
        while not done.wait(pause):
            event = new_event()
            try:
                answer: int | str = site.request(
                    "POST",
                    "/api/v1/events",
                    {"event": event.dict()},
                    timeout=ANSWER_SECONDS,
                    Authorization=site.authorization,
                ).status
            except (OSError, http.client.HTTPException) as error:
                answer = repr(error)
            found.answers.append((event.transaction_id, answer))

    threads = [threading.Thread(target=send, daemon=True) for _ in range(senders)]
    begin = time.monotonic()
    for thread in threads:
        thread.start()
    try:
        yield found
    finally:
        done.set()
        for thread in threads:
            thread.join(timeout=ANSWER_SECONDS + 10)
        found.seconds = time.monotonic() - begin
        # Shown where a test fails, or with --capture=no.
        print(f"{len(found.answers)} requests in {found.seconds:.1f} s, failed: {dict(Counter(found.failed))}")
