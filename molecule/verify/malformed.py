# SPDX-FileCopyrightText: 2026 The selfhosting.lago authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Malformed requests, made from a seed: paths, headers, bodies and lengths as an attacker would try them."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass

# Paths of Lago's API that nobody outside may see; each exists.
PRIVATE = ["metrics", "sidekiq", "karafka", "admin", "data_api", "health", "ready"]
# Where a climb may begin: everything public, with and without the prefix of older installations.
STARTS = ["", "/api", "/api/v1", "/graphql", "/cable", "/rails/active_storage", "/webhooks", "/webhooks/stripe/1"]
STARTS += [f"/api{start}" for start in STARTS[2:]] + ["/api/v1/billable_metrics/a%2Fb", "/customers", "/static"]
METHODS = ["GET"] * 6 + ["POST"] * 3 + ["HEAD", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "CONNECT", "PROPFIND"]
METHODS += ["get", "G\x00T", "GET" * 50, ""]
DOTS = [
    "..",
    "%2e%2e",
    ".%2e",
    "%2E.",
    "%252e%252e",
    "..;",
    "..;x=1",
    "%c0%ae%c0%ae",
    "...",
    "%u002e%u002e",
    "..%00",
    ".",
]
SLASHES = [
    "/",
    "/",
    "/",
    "//",
    "/./",
    "%2f",
    "%2F",
    "%252f",
    "\\",
    "%5c",
    "/;/",
    "/%2e/",
    "%c0%af",
    "/%09/",
    "%ef%bc%8f",
]
ENDS = ["", "", "", "/", "?", "?x=1", ".json", ";x", "%00", "%20", "%2f", "#x", "/.", "/..", "~", "%0d%0aX: y", "%"]
VERSIONS = ["HTTP/1.1"] * 12 + ["HTTP/1.0", "HTTP/1.1 ", "HTTP/2.0", "HTTP/0.9", "HTTP/1.11", "http/1.1", ""]
CONTROL = bytes([*range(9), *range(11, 13), *range(14, 32), 127]).decode("latin-1")
# Waited for by a server that believes it; nothing more is sent.
NEVER_SENT = "4096"


@dataclass(frozen=True)
class Request:
    kind: str
    payload: bytes
    # Whether an answer can be expected; a body that is shorter than it says gets none.
    complete: bool = True
    # Whether what follows on the same connection could be taken for a part of it.
    ends_connection: bool = False


class Maker:
    def __init__(self, seed: int, hostname: str):
        self.random = random.Random(seed)
        self.hostname = hostname
        self.kinds: dict[str, Callable[[], Request]] = {
            "climb": self.climb,
            "spelling": self.spelling,
            "noise": self.noise,
            "target": self.target,
            "header": self.header,
            "host": self.host,
            "smuggle": self.smuggle,
            "body": self.body,
            "oversize": self.oversize,
        }

    def requests(self, count: int) -> Iterator[Request]:
        """Each kind in turn, but what is large only now and then."""
        often = [kind for kind in self.kinds if kind != "oversize"]
        for number in range(count):
            yield self.kinds["oversize" if number % 100 == 99 else often[number % len(often)]]()

    def pick(self, values: list[str]) -> str:
        return self.random.choice(values)

    def bytes(self, size: int) -> bytes:
        return self.random.randbytes(size)

    def word(self) -> str:
        """A private path, with some of its characters written in another way."""
        ways = [str, str.upper, lambda c: f"%{ord(c):02x}", lambda c: f"%25{ord(c):02x}", lambda c: f"{c}%00"]
        way = self.random.choice([str, str, str, *ways])
        return "".join(way(c) if self.random.random() < 0.4 else c for c in self.pick(PRIVATE))

    def path(self) -> str:
        climb = "".join(self.pick(SLASHES) + self.pick(DOTS) for _ in range(self.random.randrange(1, 5)))
        return self.pick(STARTS) + climb + self.pick(SLASHES) + self.word() + self.pick(ENDS)

    def message(
        self, target: str, *lines: str, method: str = "", version: str = "HTTP/1.1", body: bytes = b""
    ) -> bytes:
        head = "\r\n".join([f"{method or self.pick(METHODS[:9])} {target} {version}".strip(" "), *lines, "", ""])
        return head.encode("latin-1", "replace") + body

    @property
    def name(self) -> str:
        return f"Host: {self.hostname}"

    def climb(self) -> Request:
        return Request("climb", self.message(self.path(), self.name))

    def spelling(self) -> Request:
        start = "".join(
            self.pick(["", "/", "//", "/api", "/API", "/%2f", "/.", "/api/api", "/api%2f"]) for _ in range(3)
        )
        return Request("spelling", self.message(start + self.pick(SLASHES) + self.word() + self.pick(ENDS), self.name))

    def noise(self) -> Request:
        """Bytes that are no HTTP, or only nearly."""
        if self.random.random() < 0.3:
            return Request("noise", self.bytes(self.random.randrange(1, 300)) + b"\r\n\r\n", ends_connection=True)
        target = "/" + self.bytes(self.random.randrange(1, 60)).decode("latin-1")
        line = self.message(target, self.name, method=self.pick(METHODS), version=self.pick(VERSIONS))
        return Request("noise", line, ends_connection=True)

    def target(self) -> Request:
        """Other forms of a target than a path."""
        host = self.pick([self.hostname, "mash-lago-api:3000", "127.0.0.1:7778", "localhost", f"x@{self.hostname}", ""])
        scheme = self.pick(["http://", "https://", "//", "unix:", "file://", ""])
        target = self.pick([f"{scheme}{host}{self.path()}", f"{host}:3000", "*", f"?{self.word()}", self.word()])
        line = self.message(target, self.name, method=self.pick(METHODS), version=self.pick(VERSIONS))
        return Request("target", line, ends_connection=True)

    def header(self) -> Request:
        """A public path with headers that some programs take another path, client or method from."""
        path = f"/{self.word()}"
        lines = [
            *(
                f"{name}: {path}"
                for name in ("X-Original-URL", "X-Rewrite-URL", "X-Forwarded-Uri", "X-Forwarded-Prefix")
            ),
            *(f"{name}: 127.0.0.1" for name in ("X-Forwarded-For", "X-Real-Ip", "Client-Ip", "True-Client-IP")),
            f"X-Forwarded-Path: /api/v1/../..{path}",
            f"X-Script-Name: {path}",
            f"Referer: https://{self.hostname}{path}",
            "X-Forwarded-Host: mash-lago-api:3000",
            "Forwarded: for=127.0.0.1;host=mash-lago-api;proto=http",
            "X-HTTP-Method-Override: GET",
            f"Connection: {self.pick(['X-Forwarded-For', 'Host', 'Authorization, X-Forwarded-Proto', 'upgrade'])}",
            f"Upgrade: {self.pick(['h2c', 'websocket', 'TLS/1.3'])}",
            f"X-{self.pick(list(CONTROL))}: x",
            f"X-Value: a{self.pick(list(CONTROL))}b",
            "X-Folded: a\r\n b",
            f"Authorization: Bearer {self.bytes(12).hex()}",
            f"Cookie: {self.bytes(30).decode('latin-1')}",
            "no colon",
            " : empty",
        ]
        chosen = self.random.sample(lines, self.random.randrange(1, 6))
        target = self.pick([*STARTS[2:8], f"{self.pick(STARTS)}/x"])
        return Request("header", self.message(target, self.name, *chosen), ends_connection=True)

    def host(self) -> Request:
        name = self.hostname
        names = [
            name.upper(),
            f"{name}.",
            f"{name}:443",
            f"{name}:3000",
            f"x@{name}",
            f"{name}/..",
            f"{name}#",
            "",
            "*",
        ]
        names += ["localhost", "127.0.0.1", "mash-lago-api", "mash-lago-api:3000", "[::1]", f"{name}\t", f"{name}, x"]
        lines = [f"Host{self.pick(['', '', '', ' '])}: {self.pick(names)}" for _ in range(self.random.randrange(0, 3))]
        return Request("host", self.message(self.path(), *lines), ends_connection=True)

    def smuggle(self) -> Request:
        """Two statements of how long the body is; in it a request for what is private."""
        inner = self.message(f"/{self.pick(PRIVATE)}", self.name, method="GET")
        encoding = self.pick(
            ["chunked", "Chunked", "chunked, identity", "identity", " chunked", "x\r\n chunked", "\x0bchunked"]
        )
        length = self.pick(["0", "4", str(len(inner)), f"+{len(inner)}", f"0x{len(inner):x}", "-1", "1e1", NEVER_SENT])
        lines = [f"Transfer-Encoding: {encoding}", f"Content-Length: {length}", f"Content-Length: {len(inner)}"]
        lines = self.random.sample(lines, self.random.randrange(1, 4))
        chunk = f"{len(inner):x}{self.pick(['', ';x', ' '])}\r\n".encode() + inner + b"\r\n0\r\n\r\n"
        body = self.random.choice([inner, b"0\r\n\r\n" + inner, chunk, chunk + inner, b"-1\r\n" + inner])
        start = self.pick(["/graphql", "/api/v1/events", "/webhooks/stripe/1", "/"])
        payload = self.message(start, self.name, *lines, method="POST", body=body)
        return Request("smuggle", payload, complete=False, ends_connection=True)

    def body(self) -> Request:
        """Whole bodies that are not what they say they are."""
        bodies = [
            self.bytes(self.random.randrange(0, 500)),
            b'{"query": ' * 40,
            b"[" * 2000,
            b'{"a":"\\ud800"}',
            b"\x00" * 50,
        ]
        body = self.random.choice(bodies)
        types = [
            "application/json",
            "text/xml",
            "multipart/form-data; boundary=x",
            "application/x-www-form-urlencoded",
            "\xff",
        ]
        lines = [f"Content-Type: {self.pick(types)}", f"Content-Length: {len(body)}"]
        lines += [f"Content-Encoding: {self.pick(['gzip', 'br', 'x'])}"] if self.random.random() < 0.3 else []
        start = self.pick(["/api/v1/events", "/webhooks/stripe/1", "/api/v1/billable_metrics", "/graphql", self.path()])
        return Request("body", self.message(start, self.name, *lines, method="POST", body=body))

    def oversize(self) -> Request:
        size = self.random.choice([20_000, 200_000, 1_500_000])
        target, lines, body = self.path(), [self.name], b""
        where = self.pick(["target", "header", "headers", "body"])
        if where == "target":
            target += "/" + "a" * size
        elif where == "header":
            lines += [f"X-Large: {'a' * size}"]
        elif where == "headers":
            lines += [f"X-{number}: a" for number in range(size // 100)]
        else:
            body = b"a" * size
            lines += [f"Content-Length: {size}", "Content-Type: application/json"]
        payload = self.message(target, *lines, method="POST", body=body)
        return Request("oversize", payload, ends_connection=True)
