# SPDX-FileCopyrightText: 2026 The selfhosting.lago authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""The keys of Lago: fingerprints of them, MASH's older derivation, and what a try to decrypt with each set means."""

from __future__ import annotations

import functools
import hashlib
import hmac
import typing as t

from ansible.plugins.filter.core import to_uuid

from .sha512_crypt import sha512_crypt

# Each key: its variable, its names in the environment (the first wins, also when it is empty), MASH's salt.
KEYS: dict[str, tuple[str, tuple[str, ...], str]] = {
    "encryption_primary_key": (
        "lago_api_environment_variable_encryption_primary_key",
        ("ENCRYPTION_PRIMARY_KEY", "LAGO_ENCRYPTION_PRIMARY_KEY"),
        "lago.enc.primary",
    ),
    "encryption_deterministic_key": (
        "lago_api_environment_variable_encryption_deterministic_key",
        ("ENCRYPTION_DETERMINISTIC_KEY", "LAGO_ENCRYPTION_DETERMINISTIC_KEY"),
        "lago.deter.key",
    ),
    "encryption_key_derivation_salt": (
        "lago_api_environment_variable_encryption_key_derivation_salt",
        ("ENCRYPTION_KEY_DERIVATION_SALT", "LAGO_ENCRYPTION_KEY_DERIVATION_SALT"),
        "lago.deriv.salt",
    ),
    "secret_key_base": ("lago_api_environment_variable_secret_key_base", ("SECRET_KEY_BASE",), "lago.sec.key"),
    "rsa_private_key": ("lago_api_environment_variable_lago_rsa_private_key", ("LAGO_RSA_PRIVATE_KEY",), ""),
}
ENCRYPTION = [name for name in KEYS if name.startswith("encryption_")]
# A key of fewer characters can be guessed by trying; what MASH derives has 36.
SHORTEST = 16
# From the vendor's and others' examples.
PLACEHOLDERS = ("your-", "changeme", "change-me", "example", "secret-key")


def in_environment(environment: t.Mapping[str, t.Any], key: str) -> str:
    """The value that Lago reads; empty where there is none."""
    for name in KEYS[key][1]:
        if environment.get(name) is not None:
            return str(environment[name])
    return ""


def fingerprint(name: str, value: str) -> str:
    return hmac.new(value.encode(), f"selfhosting.lago {name}".encode(), hashlib.sha256).hexdigest()


def fingerprints(environment: t.Mapping[str, t.Any]) -> dict[str, str]:
    """Of each key of an environment; of one that the server made itself, only that."""
    values = {name: in_environment(environment, name) for name in KEYS}
    return {name: fingerprint(name, value) if value else "made on the server" for name, value in values.items()}


@functools.cache
def older_secret(generic: str, salt: str) -> str:
    """What MASH derived until February 2026."""
    return to_uuid(sha512_crypt(str(generic).encode(), salt.encode(), rounds=655555))


def is_weak(value: str) -> bool:
    return len(value) < SHORTEST or any(word in value.lower() for word in PLACEHOLDERS)


def lines_for(source: str, names: t.Iterable[str], environment_path: str) -> list[str]:
    """What vars.yml has to say for these keys to be the older ones, or those that live on the server.

    A value never passes through the output: it is derived, or fetched by a command that prints the line.
    """
    lines = []
    for name in names:
        variable, in_file, salt = KEYS[name]
        if source == "older" and salt:
            value = f"{{{{ mash_playbook_generic_secret_key | selfhosting.lago.mash_older_secret('{salt}') }}}}"
            lines.append(f'{variable}: "{value}"')
        else:
            command = f"sed -n \"s/^{in_file[0]}=\\(.*\\)/{variable}: '\\1'/p\" {environment_path}"
            lines.append(f"# on the server this prints the line: {command}")
    return lines


def verdict(tried: t.Mapping[str, t.Mapping[str, int]], changed: t.Container[str], live_is_older: bool) -> str:
    """Which keys read what is stored: "" for those of vars.yml, "live", "older", or "mixed".

    `tried` maps each table to its rows and to how many of them each set of keys can read.
    """
    rows = sum(counts["rows"] for counts in tried.values())
    reads = {name: sum(counts[name] for counts in tried.values()) for name in ("configured", "live", "older")}
    live = "older" if live_is_older else "live"
    if reads["configured"] == rows and (rows or not any(name in changed for name in ENCRYPTION)):
        return ""
    if reads["live"] == rows:
        return live
    if reads["older"] == rows:
        return "older"
    # What nobody can read any more is no reason to stop as long as nothing gets worse.
    unchanged = not any(name in changed for name in ENCRYPTION)
    if unchanged and reads["live"] == max(reads.values()) and not reads["older"]:
        return ""
    return "mixed"


def told(tried: t.Mapping[str, t.Mapping[str, int]]) -> list[str]:
    """How many rows of each table each set of keys can read."""
    names = {"configured": "vars.yml", "live": "the server's environment file", "older": "MASH's older derivation"}
    return [
        f"  {table}: {counts['rows']} encrypted; readable with the keys of "
        + ", ".join(f"{words} {counts[name]}" for name, words in names.items())
        for table, counts in sorted(tried.items())
        if counts["rows"]
    ]
