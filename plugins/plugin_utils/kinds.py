# SPDX-FileCopyrightText: 2026 The selfhosting.lago authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""What a value must be beyond its type. Which variable is of which kind: kinds.yml, by its name."""

from __future__ import annotations

import functools
import ipaddress
import os
import re
import typing as t
import zoneinfo
from urllib.parse import urlsplit

from ansible.module_utils.common.yaml import yaml_load

# Labels of letters, digits and inner hyphens, at most 63 long, 253 in all (RFC 1123, 2.1).
HOSTNAME = re.compile(
    r"^(?=.{1,253}$)([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)*\Z", re.I
)
# Docker's own grammar of references, without its rarer forms (distribution/reference).
IMAGE = re.compile(
    r"([a-z0-9.-]+(:[0-9]+)?/)?[a-z0-9]+([._/-]+[a-z0-9]+)*(:[\w][\w.-]{0,127})?(@sha256:[0-9a-f]{64})?", re.ASCII
)
# What stands in examples, or is tried first.
WORDS_OF_NOBODY = re.compile(
    r"""
    (change|replace|fill|edit)[-_ ]?(me|this|it)([-_ ].*)?
    | (your|insert)[-_].*
    | (my|your|the|some|a)?[-_ ]?(very|strong|super)?[-_ ]?
      (secret|password|passw0rd|passwort|passphrase|pass|key)[-_ 0-9!]*
    | <.*> | \{.*\}
    | (to-?do|fix-?me|tbd|none|null|nil|undefined|default|example|test|testing|demo)[-_ 0-9!]*
    | (admin|root|user|lago|postgres|valkey|redis|qwerty|qwertz|letmein|abc|abcdef)[-_ 0-9!]*
    | 0?123456789?0?|1234|12345|12345678
    """,
    re.VERBOSE | re.IGNORECASE,
)
# Below that, words can be tried out in days with what they encrypt or sign at hand.
SHORTEST_KEY = 16
SHORTEST_PASSWORD = 8


def matches(pattern: str) -> t.Callable[[str], bool]:
    compiled = re.compile(pattern, re.ASCII)
    return lambda text: bool(compiled.fullmatch(text))


def number(lowest: float, highest: float = float("inf"), kind: type = int) -> t.Callable[[str], bool]:
    def fits(text: str) -> bool:
        try:
            return lowest <= kind(text) <= highest
        except ValueError:
            return False

    return fits


def hostname(text: str) -> bool:
    return bool(HOSTNAME.match(text))


def host(text: str) -> bool:
    """A name or an address."""
    try:
        ipaddress.ip_address(text.strip("[]"))
    except ValueError:
        # What looks like an address and is none is no name either; Docker allows the underscore in names.
        return hostname(text.replace("_", "-")) and not re.fullmatch(r"[\d.]+", text)
    return True


PORT = number(1, 65535)


def published_port(text: str) -> bool:
    address, colon, port = text.rpartition(":")
    if not colon:
        return PORT(text)
    try:
        ipaddress.ip_address(address.removeprefix("[").removesuffix("]"))
    except ValueError:
        return False
    return PORT(port)


def url(*schemes: str, path: bool = True) -> t.Callable[[str], bool]:
    def fits(text: str) -> bool:
        if re.search(r"\s", text):
            return False
        try:
            parts = urlsplit(text)
            port = parts.port
        except ValueError:
            return False
        # A sign such as / or # in a password ends the host, and a second @ was meant to be part of it.
        named = parts.netloc.count("@") <= 1 and bool(parts.hostname) and host(parts.hostname)
        return parts.scheme in schemes and named and port != 0 and (path or parts.path in ("", "/"))

    return fits


def time_zone(text: str) -> bool:
    return text in zoneinfo.available_timezones()


def servers(text: str) -> bool:
    """host:port with commas between."""
    pairs = [server.strip().rpartition(":") for server in text.split(",")]
    return all(host(name) and PORT(port) for name, _colon, port in pairs)


class Kind(t.NamedTuple):
    words: str
    fits: t.Callable[[str], bool]


KINDS = {
    "port": Kind("a port from 1 to 65535", PORT),
    "published port": Kind(
        "a port from 1 to 65535, or an IP address of the server and a port such as 127.0.0.1:3000", published_port
    ),
    "size": Kind("a size such as 512m, a whole number and b, k, m or g", matches(r"[1-9][0-9]*[bkmgBKMG]?")),
    "size of Valkey": Kind("a size such as 256mb, a whole number and kb, mb or gb", matches(r"[1-9]\d*([kmg]b?)?")),
    "number": Kind("a whole number from 0 up", number(0)),
    "count": Kind("a whole number from 1 up", number(1)),
    "seconds": Kind("a whole number of seconds from 0 to 86400, one day", number(0, 86400)),
    "share": Kind("a number from 0 to 1 such as 0.25", number(0, 1, float)),
    "user number": Kind("the number of a user or group, from 1 to 4294967294", number(1, 2**32 - 2)),
    "mode": Kind("a mode of three or four octal digits in quotes such as '750'", matches(r"[0-7]{3,4}")),
    "path": Kind("an absolute path such as /mash/data, without .. and blanks", matches(r"(?!.*/\.\.?(/|$))/[^\s:]+")),
    "host": Kind("a host name or an IP address, without scheme and port", host),
    "host name": Kind("a host name such as lago.example.com, without scheme and port", hostname),
    "identifier": Kind(
        "a name of letters, digits, dots, hyphens and underscores that begins with a letter or digit",
        matches(r"[A-Za-z0-9][A-Za-z0-9_.-]*"),
    ),
    "prefix": Kind("letters, digits, dots, hyphens and underscores", matches(r"[A-Za-z0-9][A-Za-z0-9_.-]*")),
    "unit": Kind("the whole name of a unit such as mash-postgres.service", matches(r"[\w:.@\\-]+\.[a-z]+")),
    "image": Kind("an image such as docker.io/getlago/api:v1.52.1", lambda text: bool(IMAGE.fullmatch(text))),
    "tag": Kind("a tag, also with a digest, such as v1.52.1", matches(r"\w[\w.-]{0,127}(@sha256:[0-9a-f]{64})?")),
    "registry": Kind("a registry with a slash at its end such as docker.io/", matches(r"[A-Za-z0-9.:_/-]+/")),
    "path of a URL": Kind("a path that begins with a slash and ends without one such as /api", matches(r"(/[\w.-]+)+")),
    "web address": Kind("a URL that begins with https:// or http://", url("http", "https")),
    "database address": Kind(
        "postgresql://user:password@host:port/database with user and password percent-encoded",
        url("postgres", "postgresql"),
    ),
    "Redis address": Kind(
        "redis://host:port/number or rediss://, a password in it percent-encoded", url("redis", "rediss")
    ),
    "mail address": Kind(
        "one mail address such as billing@example.com", matches(r"[^\s@<>,;]+@[^\s@<>,;]+\.[^\s@<>,;]+")
    ),
    "time zone": Kind("a time zone such as UTC or Europe/Berlin", time_zone),
    "servers": Kind("host:port, several with commas between", servers),
    "one line": Kind(
        "one line; an environment file cannot hold a line break", lambda text: not re.search(r"[\r\n]", text)
    ),
}


def placeholder(text: str) -> bool:
    """Whether it was copied from an example, or could have been."""
    text = text.strip()
    return len(set(text.lower())) == 1 or bool(WORDS_OF_NOBODY.fullmatch(text))


def weakness(text: str, shortest: int) -> str:
    """What is wrong with a secret that is set; nothing where it is fit."""
    if placeholder(text):
        return "it is a placeholder that everybody knows"
    if len(text) < shortest:
        return f"it is shorter than {shortest} characters"
    return ""


@functools.cache
def table() -> list[tuple[re.Pattern, dict]]:
    with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "kinds.yml"), encoding="utf-8") as file:
        return [(re.compile(entry["names"]), entry) for entry in yaml_load(file)]


@functools.cache
def kind_of(name: str) -> str:
    """The first that fits the name; "" for free text."""
    return next((entry["kind"] for pattern, entry in table() if pattern.search(name)), "")


def kind_fault(name: str, value: t.Any) -> tuple[str, str] | None:
    """The kind and what it allows where the value, or one of a list, is not of it. Empty values pass."""
    kind = KINDS.get(kind_of(name))
    if kind is None or isinstance(value, (bool, t.Mapping)):
        return None
    values = value if isinstance(value, (list, tuple)) else [value]
    if all(one is None or one == "" or isinstance(one, t.Mapping) or kind.fits(str(one)) for one in values):
        return None
    return kind_of(name), kind.words


def shortest_secret(name: str) -> int | None:
    """The fewest characters of a secret; None for what is no secret of that sort."""
    return {"key": SHORTEST_KEY, "password": SHORTEST_PASSWORD, "password of others": 0}.get(kind_of(name))
