# SPDX-FileCopyrightText: 2026 The selfhosting.lago authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Whether a backup may be restored here: everything that speaks against it, before anything is changed."""

from __future__ import annotations

import re

import manifest
from backup import server_of

AVAILABLE = "SELECT name FROM pg_available_extensions"


def version(text):
    """v1.52.1 as numbers; None where it is no release."""
    found = re.match(r"v?(\d+)\.(\d+)\.(\d+)", text or "")
    return tuple(map(int, found.groups())) if found else None


def refusals(configuration, content, parts, request):
    """One text for each reason."""
    if content["format"] > manifest.FORMAT:
        return [
            f"It is of format {content['format']}, and this program knows {manifest.FORMAT}: it was made by a newer "
            "version of the playbook. Take that version: just update, just install-service backup."
        ]
    return [
        *of_another_host(configuration, content, request),
        *of_services(configuration, parts),
        *of_lago(configuration, content),
        *of_keys(configuration, content),
        *(of_postgres(configuration, content) if "postgres" in parts and configuration["postgres"] else []),
    ]


def of_another_host(configuration, content, request):
    host = content["host"]
    if host in (configuration["host"], request.get("of_host")):
        return []
    return [
        f"It is a backup of {host}, and this is {configuration['host']}. If that is what you want: -e of_host={host}"
    ]


def of_services(configuration, parts):
    words = {"postgres": ("Postgres", "postgres"), "valkey": ("Valkey", "valkey"), "storage": ("Lago", "lago")}
    missing = [words[part] for part in parts if not configuration[part]]
    return [
        f"It holds data of {name}, which is not enabled on this host: set {prefix}_enabled to true, and install it."
        for name, prefix in missing
    ]


def of_lago(configuration, content):
    if not configuration["lago"] or not content["lago"]:
        return []
    here, there = configuration["lago"]["version"], content["lago"]["version"]
    if not version(here) or not version(there):
        return []
    if version(there) > version(here):
        return [
            f"It is of Lago {there}, and {here} is installed here, which cannot work with a newer database. "
            f"Set lago_version: {there}, and install it: just install-all"
        ]
    stops = [
        at
        for at, before in configuration["lago"]["stops"].items()
        if version(there) < version(at) and version(before) <= version(here)
    ]
    if stops:
        return [
            f"It is of Lago {there}, and {here} is installed here. On the way from one to the other something has to "
            f"be done at {', '.join(stops)}. Back to before the last upgrade: just rollback. Otherwise restore it on "
            f"an empty server, installed with lago_version: {there}, then remove that line and type: just upgrade"
        ]
    return []


def of_keys(configuration, content):
    """Lago with other keys could read none of the credentials that are stored."""
    if not configuration["lago"] or not content["keys"]:
        return []
    here = manifest.fingerprints(manifest.environment_of(configuration["lago"]["environment"]))
    others = [name for name, fingerprint in sorted(content["keys"].items()) if here.get(name) != fingerprint]
    if not others:
        return []
    return [
        f"Its keys are not those of this host: {', '.join(others)}. With the keys of this host Lago could not read "
        f"what is stored encrypted. Take the vars.yml of {content['host']} as it was when the backup was made; the "
        f"keys are also in server{content['lago']['environment']} of the backup."
    ]


def of_postgres(configuration, content):
    server = server_of(configuration)
    here, there = server.version(), content["postgres"]["version"]
    if int(there.split(".")[0]) > int(here.split(".")[0]):
        return [
            f"It was dumped by Postgres {there}, and {here} runs here, which cannot read every dump of a newer one. "
            f"Type: just upgrade-postgres -e postgres_upgrade_version={there.split('.')[0]}, then restore again."
        ]
    available = server.ask(AVAILABLE)
    missing = sorted(
        {name for database in content["postgres"]["databases"].values() for name in database["extensions"]}
        - set(available)
    )
    if missing:
        return [
            f"It needs extensions that the Postgres of this host does not have: {', '.join(missing)}. Install an image "
            "that has them (postgres_container_image_to_use), then restore again."
        ]
    return []
