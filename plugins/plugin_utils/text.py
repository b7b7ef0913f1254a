# SPDX-FileCopyrightText: 2026 The selfhosting.lago authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Writing values in other languages: SQL, URLs, YAML."""

from __future__ import annotations

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


def yaml_with(value: t.Mapping, extension: str = "") -> str:
    """YAML text of a dictionary with the user's YAML text merged over it."""
    added = yaml.safe_load(extension or "") or {}
    return yaml.safe_dump(merge_hash(dict(value), added), sort_keys=False, default_flow_style=False, width=1000)
