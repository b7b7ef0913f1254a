# SPDX-FileCopyrightText: 2026 The selfhosting.lago authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Tests of the values that users give."""

from __future__ import annotations

import base64
import binascii
import re
import typing as t

from ansible_collections.selfhosting.lago.plugins.plugin_utils.definition import DefinitionError
from ansible_collections.selfhosting.lago.plugins.plugin_utils.render import environment_lines
from ansible_collections.selfhosting.lago.plugins.plugin_utils.versions import lago_version

# Labels of letters, digits and inner hyphens, at most 63 long, 253 in all (RFC 1123, 2.1).
HOSTNAME = re.compile(
    r"^(?=.{1,253}$)([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)*\Z", re.I
)


def rsa_private_key(value: t.Any) -> bool:
    """One line of base64 of the PEM of an RSA private key of at least 2048 bits (config/initializers/rsa_keys.rb)."""
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    text = str(value)
    if re.search(r"\s", text):
        return False
    try:
        # Whether its numbers are primes takes a tenth of a second, and is true of any key that was not made up.
        pem = base64.b64decode(text, validate=True)
        key = load_pem_private_key(pem, password=None, unsafe_skip_rsa_key_validation=True)
    except (binascii.Error, ValueError, TypeError):
        return False
    return isinstance(key, RSAPrivateKey) and key.key_size >= 2048


def environment_text(value: t.Any) -> bool:
    """Lines NAME=value, empty lines and comments."""
    try:
        environment_lines({}, str(value))
    except DefinitionError:
        return False
    return True


def hostname(value: t.Any) -> bool:
    return isinstance(value, str) and bool(HOSTNAME.match(value))


def plain_user_name(value: t.Any) -> bool:
    """What is the same inside a URL as outside (RFC 3986, 2.3)."""
    return bool(re.fullmatch(r"[A-Za-z0-9._~-]+", str(value)))


def host_and_port(value: t.Any) -> bool:
    """A host name or IPv4 address and a port: sentinel.example.com:26379."""
    name, _colon, port = str(value).rpartition(":")
    return hostname(name) and port.isdecimal() and 0 < int(port) < 65536


def lago_version_from(value: t.Any, lowest: str) -> bool:
    try:
        return lago_version(value) >= lago_version(lowest)
    except ValueError:
        return False


def lago_version_up_to(value: t.Any, highest: str) -> bool:
    """Whether the minor release is covered; patch releases of a covered one are."""
    try:
        return lago_version(value)[:2] <= lago_version(highest)[:2]
    except ValueError:
        return False


class TestModule:
    def tests(self) -> dict[str, t.Callable]:
        return {
            "environment_text": environment_text,
            "host_and_port": host_and_port,
            "hostname": hostname,
            "lago_version_from": lago_version_from,
            "lago_version_up_to": lago_version_up_to,
            "plain_user_name": plain_user_name,
            "rsa_private_key": rsa_private_key,
        }
