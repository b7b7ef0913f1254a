# SPDX-FileCopyrightText: 2026 The selfhosting.lago authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""The queue of Lago's jobs, seen in the server that holds it, and events that become jobs."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from lago_python_client.client import Client

from . import inside
from .outside import new_event
from .waiting import eventually

WORKER = "mash-lago-api-worker.service"
# What the two Puma processes of the test bed answer at the same time without refusing.
AT_ONCE = 8


@dataclass
class Valkey:
    """A Valkey or Redis in a container of the server."""

    host: object
    container: str = "mash-valkey"
    password: str = ""
    options: list[str] = field(default_factory=list)
    database: int = 0

    def ask(self, *words: str, database: int | None = None) -> str:
        number = self.database if database is None else database
        command = ["docker", "exec", f"--env=REDISCLI_AUTH={self.password}", self.container]
        command += ["valkey-cli", *self.options, "-n", str(number), *words]
        return self.host.check_output(" ".join(["%s"] * len(command)), *command)

    def queued(self) -> int:
        """Jobs that wait in any of Sidekiq's queues."""
        names = self.ask("smembers", "queues").split()
        return sum(int(self.ask("llen", f"queue:{name}")) for name in names)

    def clients(self) -> list[dict[str, str]]:
        """Those of other containers."""
        found = [dict(word.split("=", 1) for word in line.split()) for line in self.ask("client", "list").splitlines()]
        return [client for client in found if not client["addr"].startswith("127.0.0.1:")]


def send(client: Client, count: int) -> list[str]:
    """Send events until that many were accepted; those that were."""
    accepted: list[str] = []

    def one(_number: int) -> str | None:
        try:
            return client.events.create(new_event()).transaction_id
        except Exception:  # refused or no answer: not acknowledged, and another one is sent in its place
            return None

    def more() -> bool:
        with ThreadPoolExecutor(AT_ONCE) as pool:
            accepted.extend(found for found in pool.map(one, range(count - len(accepted))) if found)
        return len(accepted) >= count

    eventually(more, seconds=240)
    return accepted


def processed(host, transaction_ids: list[str]) -> int:
    """How many of these events their jobs have finished."""
    listed = ",".join(f"'{one}'" for one in transaction_ids)
    query = f"SELECT count(*) FROM events WHERE processed_at IS NOT NULL AND transaction_id IN ({listed})"
    return int(inside.sql(host, query))


def all_processed(host, transaction_ids: list[str], seconds: float = 300) -> None:
    eventually(lambda: processed(host, transaction_ids) == len(transaction_ids), seconds=seconds)
