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
# A text of more bytes is not read together with others.
LARGE_TEXT = 64 * 1024
# How a short one is read at once, and a long one in parts: the command, and how many words one entry has.
WHOLE = {
    b"string": ("GET",),
    b"list": ("LRANGE", 0, -1),
    b"set": ("SMEMBERS",),
    b"hash": ("HGETALL",),
    b"zset": ("ZRANGE", 0, -1, "WITHSCORES"),
}
SCANS = {b"set": ("SSCAN", 1), b"hash": ("HSCAN", 2), b"zset": ("ZSCAN", 2)}


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
    # Before the values, or what ends now would stay for ever; in milliseconds, -1 for never, -2 for gone.
    lives = origin.ask_all([("PTTL", key) for key, _kind in found])
    sizes = origin.ask_all([(SIZES[kind], key) for key, kind in found])
    whole = [one for one, size in zip(found, sizes) if size <= (LARGE_TEXT if one[1] == b"string" else BATCH)]
    values = origin.ask_all([(WHOLE[kind][0], key, *WHOLE[kind][1:]) for key, kind in whole])
    target.ask_all([made(key, kind, value) for (key, kind), value in zip(whole, values) if value not in (None, [])])
    for key, kind in found:
        if (key, kind) not in whole:
            for part in parts(origin, key, kind):
                target.ask(*made(key, kind, part))
    target.ask_all([("PEXPIRE", key, life) for (key, _kind), life in zip(found, lives) if life > 0])
    compare(origin, target, [one for one, life in zip(found, lives) if life == -1])
    return len(found)


def compare(origin, target, keys):
    """How many entries each has; what may end meanwhile is left out."""
    sizes = [(SIZES[kind], key) for key, kind in keys]
    for (key, _kind), before, after in zip(keys, origin.ask_all(sizes), target.ask_all(sizes)):
        if before != after:
            raise Failure(f"Redis' key {key.decode(errors='replace')!r} has {before} entries, and {after} were copied.")


def made(key, kind, value):
    """The command that makes a key, or adds to it."""
    if kind == b"string":
        return ("SET", key, value)
    if kind == b"zset":
        # It is read as members and scores, and written as scores and members.
        return ("ZADD", key, *(word for member, score in zip(value[::2], value[1::2]) for word in (score, member)))
    return ({b"list": "RPUSH", b"set": "SADD", b"hash": "HSET"}[kind], key, *value)


def parts(origin, key, kind):
    """A long value in parts, a short one whole."""
    if kind == b"string":
        value = origin.ask("GET", key)
        yield from [] if value is None else [value]
    elif kind == b"list":
        start = 0
        while part := origin.ask("LRANGE", key, start, start + BATCH - 1):
            yield part
            start += len(part)
    else:
        yield from scanned(origin, *SCANS[kind], key)


def scanned(origin, command, width, key):
    cursor = b"0"
    while True:
        cursor, part = origin.ask(command, key, cursor, "COUNT", BATCH)
        for start in range(0, len(part), BATCH * width):
            yield part[start : start + BATCH * width]
        if cursor == b"0":
            return
