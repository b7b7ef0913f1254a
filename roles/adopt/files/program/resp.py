# SPDX-FileCopyrightText: 2026 The selfhosting.lago authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Redis' protocol, as much of it as copying keys needs. Many commands go at once, their answers come in order."""

from __future__ import annotations

import socket

from shell import Failure

TIMEOUT = 60


class Connection:
    def __init__(self, address, port, username="", password=""):
        self._socket = socket.create_connection((address, int(port)), timeout=TIMEOUT)
        self._reader = self._socket.makefile("rb")
        if password:
            self.ask("AUTH", *([username] if username else []), password)

    def ask(self, *words):
        return self.ask_all([words])[0]

    def ask_all(self, commands):
        self._socket.sendall(b"".join(map(encoded, commands)))
        answers = [self._answer() for _command in commands]
        for answer in answers:
            if isinstance(answer, Failure):
                raise answer
        return answers

    def _answer(self):
        line = self._reader.readline()
        if not line.endswith(b"\r\n"):
            raise Failure("Redis closed the connection.")
        kind, rest = line[:1], line[1:-2]
        if kind == b"-":
            return Failure(f"Redis: {rest.decode(errors='replace')}")
        if kind == b":":
            return int(rest)
        if kind == b"$":
            if rest == b"-1":
                return None
            return self._reader.read(int(rest) + 2)[:-2]
        if kind == b"*":
            return [self._answer() for _ in range(max(int(rest), 0))]
        return rest

    def close(self):
        self._reader.close()
        self._socket.close()


def encoded(words):
    parts = [word if isinstance(word, bytes) else str(word).encode() for word in words]
    return b"*%d\r\n" % len(parts) + b"".join(b"$%d\r\n%s\r\n" % (len(part), part) for part in parts)
