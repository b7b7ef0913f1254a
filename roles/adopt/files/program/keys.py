# SPDX-FileCopyrightText: 2026 The selfhosting.lago authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Redis' keys, copied one by one: Valkey reads no snapshot of Redis 7.4, which the vendor's redis:7-alpine is."""

from __future__ import annotations

from resp import Connection
from shell import Failure, Progress, say

# At once: large enough to be fast, small enough for an answer to be held in memory.
BATCH = 500
# Kind of key to its number of entries.
SIZES = {b"string": "STRLEN", b"list": "LLEN", b"set": "SCARD", b"zset": "ZCARD", b"hash": "HLEN"}


class Keys:
    def __init__(self, source, configuration, record):
        self._source, self._record = source, record
        self._from, self._to = configuration["source"], configuration["target"]

    def move(self):
        origin = self._connection(self._from)
        target = self._connection(self._to)
        try:
            if self._from["database"]:
                origin.ask("SELECT", self._from["database"])
            if self._to["database"]:
                target.ask("SELECT", self._to["database"])
            there = target.ask("DBSIZE")
            if there and "redis" not in self._record.values["begun"]:
                raise Failure(f"{self._to['container']} has {there} keys already.")
            self._record.begin("redis")
            copy(origin, target)
        finally:
            origin.close()
            target.close()

    def _connection(self, one):
        address = self._source.address(one["container"])
        return Connection(address, one["port"], one.get("username", ""), one["password"])


def copy(origin, target):
    """All keys of a database in the place of what is in the other, which nothing of Lago's has used yet."""
    say("Copying Redis' keys")
    total = origin.ask("DBSIZE")
    target.ask("FLUSHDB")
    progress, count = Progress("Copying keys", total, shown="{} keys".format), 0
    cursor, done = b"0", set()
    while True:
        cursor, keys = origin.ask("SCAN", cursor, "COUNT", BATCH)
        # A key may come twice.
        keys = [key for key in keys if key not in done]
        count += copy_some(origin, target, keys)
        done.update(keys)
        progress.add(len(keys))
        if cursor == b"0":
            break
    say(f"Keys copied: {count}")


def copy_some(origin, target, keys):
    kinds = origin.ask_all([("TYPE", key) for key in keys])
    for key, kind in zip(keys, kinds):
        if kind != b"none" and kind not in SIZES:
            raise Failure(f"Redis' key {key.decode(errors='replace')!r} is a {kind.decode()}, which Lago uses nowhere.")
    found = [(key, kind) for key, kind in zip(keys, kinds) if kind != b"none"]
    # Before, or what ends now would stay for ever; in milliseconds, -1 for never.
    lives = origin.ask_all([("PTTL", key) for key, _kind in found])
    copied = [(key, kind, life) for (key, kind), life in zip(found, lives) if life != -2]
    for key, kind, life in copied:
        for command in writes(origin, key, kind):
            target.ask(*command)
        if life > 0:
            target.ask("PEXPIRE", key, life)
    compare(origin, target, [(key, kind) for key, kind, life in copied if life < 0])
    return len(copied)


def compare(origin, target, keys):
    """How many entries each has; what may end meanwhile is left out."""
    sizes = [(SIZES[kind], key) for key, kind in keys]
    for (key, _kind), before, after in zip(keys, origin.ask_all(sizes), target.ask_all(sizes)):
        if before != after:
            raise Failure(f"Redis' key {key.decode(errors='replace')!r} has {before} entries, and {after} were copied.")


def writes(origin, key, kind):
    """The commands that make the key anew; long ones in parts."""
    if kind == b"string":
        value = origin.ask("GET", key)
        return [] if value is None else [("SET", key, value)]
    if kind == b"list":
        return listed(origin, key)
    if kind == b"set":
        return [("SADD", key, *part) for part in scanned(origin, "SSCAN", key, 1)]
    if kind == b"hash":
        return [("HSET", key, *part) for part in scanned(origin, "HSCAN", key, 2)]
    # ZSCAN gives members and scores, ZADD takes scores and members.
    return [
        ("ZADD", key, *(word for member, score in zip(part[::2], part[1::2]) for word in (score, member)))
        for part in scanned(origin, "ZSCAN", key, 2)
    ]


def listed(origin, key):
    start = 0
    while part := origin.ask("LRANGE", key, start, start + BATCH - 1):
        yield ("RPUSH", key, *part)
        start += len(part)


def scanned(origin, command, key, width):
    cursor = b"0"
    while True:
        cursor, part = origin.ask(command, key, cursor, "COUNT", BATCH)
        for start in range(0, len(part), BATCH * width):
            yield part[start : start + BATCH * width]
        if cursor == b"0":
            return
