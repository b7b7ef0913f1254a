# SPDX-FileCopyrightText: 2026 The selfhosting.lago authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Writing values in other languages: SQL, URLs, YAML."""

from __future__ import annotations

import hashlib
import typing as t
from urllib.parse import quote

import yaml
from ansible.utils.vars import merge_hash


def percent_encode(value: t.Any) -> str:
    """For the user and password of a URL; Jinja's own urlencode leaves the slash as it is."""
    return quote(str(value), safe="")


def redis_url(
    hostname: str, port: t.Any, database: t.Any, username: str = "", password: t.Any = "", tls: bool = False
) -> str:
    """Where a Redis or Valkey is, with a database.

    A client takes a user without a password for the password, so both stand in the URL or none.
    """
    user = f"{percent_encode(username)}:{percent_encode(password)}@" if password else ""
    host = f"[{hostname}]" if ":" in str(hostname) and not str(hostname).startswith("[") else hostname
    return f"{'rediss' if tls else 'redis'}://{user}{host}:{port}/{database}"


def sql_literal(value: t.Any) -> str:
    """A quoted SQL string (standard_conforming_strings is on by default)."""
    return "'" + str(value).replace("'", "''") + "'"


def sql_identifier(value: t.Any) -> str:
    return '"' + str(value).replace('"', '""') + '"'


def double_quoted(value: t.Any) -> str:
    """A quoted string of valkey.conf, where only backslash and quote mean something."""
    return '"' + str(value).replace("\\", "\\\\").replace('"', '\\"') + '"'


# The order in which the bytes of the last checksum are written, and the letters of its base 64.
_ORDER = ((0, 6, 12), (1, 7, 13), (2, 8, 14), (3, 9, 15), (4, 10, 5), (11,))
_LETTERS = "./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"


def htpasswd(password: t.Any, salt: str) -> str:
    """Apache's own hash of a password, as htpasswd and `openssl passwd -apr1` make it; Traefik reads it.

    The salt is given, so that the same password makes the same file.
    """
    secret, salted = str(password).encode(), salt[:8].encode()
    inner = hashlib.md5(secret + salted + secret).digest()
    mixed = secret + b"$apr1$" + salted + (inner * (len(secret) // 16 + 1))[: len(secret)]
    length = len(secret)
    while length:
        mixed += b"\0" if length & 1 else secret[:1]
        length >>= 1
    digest = hashlib.md5(mixed).digest()
    for turn in range(1000):
        text = secret if turn & 1 else digest
        text += (salted if turn % 3 else b"") + (secret if turn % 7 else b"")
        digest = hashlib.md5(text + (digest if turn & 1 else secret)).digest()
    hashed = ""
    for places in _ORDER:
        number = int.from_bytes(bytes(digest[place] for place in places), "big")
        for _ in range(len(places) + 1):
            hashed += _LETTERS[number & 63]
            number >>= 6
    return f"$apr1${salt[:8]}${hashed}"


def yaml_with(value: t.Mapping, extension: str = "") -> str:
    """YAML text of a dictionary with the user's YAML text merged over it."""
    added = yaml.safe_load(extension or "") or {}
    return yaml.safe_dump(merge_hash(dict(value), added), sort_keys=False, default_flow_style=False, width=1000)
