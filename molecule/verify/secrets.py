# SPDX-FileCopyrightText: 2026 The selfhosting.lago authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Every secret value of a run, and where on a server one of them is."""

from __future__ import annotations

import base64
from pathlib import Path
from urllib.parse import quote, urlsplit

import yaml

from .plays import REPOSITORY

# Shorter values would be found by chance.
LEAST_LENGTH = 8
# What the kernel shows of processes, and what Docker keeps of containers: their environment is there for root alone.
SKIPPED = ["proc", "sys", "dev", "docker", "containerd"]


def secret_names() -> set[str]:
    """Variables that are specified to be secret."""
    found = set()
    for path in REPOSITORY.glob("roles/*/meta/argument_specs.yml"):
        options = yaml.safe_load(path.read_text())["argument_specs"]["main"]["options"]
        found |= {name for name, option in options.items() if option.get("no_log")}
    return found


def values(host, settings: dict, keys: Path) -> dict[str, str]:
    """Where it comes from to the value: what the user wrote, the keys that were made, and what is derived from them."""
    names = secret_names()
    found = {
        name: value
        for name, value in settings.items()
        if name in names and isinstance(value, str) and "{{" not in value and "\n" not in value
    }
    found |= {name: value for name, value in settings.items() if name.startswith("testbed_private_key")}
    for name in ("rsa.pem", "certificate-key.pem"):
        text = (keys / name).read_text()
        found[name] = text.splitlines()[5]
        found[f"{name} in base64"] = base64.b64encode(text.encode()).decode()[100:160]
    environment = dict(
        line.split("=", 1)
        for path in ("/mash/lago/api/env", "/mash/lago/migrate/env", "/mash/postgres/env-postgres-server")
        for line in host.file(path).content_string.splitlines()
    )
    for name, value in environment.items():
        if any(word in name for word in ("KEY", "SALT", "PASSWORD", "SECRET", "BEARER")):
            found[name] = value[100:160] if "RSA" in name else value
    found["database password"] = urlsplit(environment["DATABASE_URL"]).password or ""
    assert min(map(len, found.values())) >= LEAST_LENGTH, found.keys()
    for name, value in list(found.items()):
        if quote(value, safe="") != value:
            found[f"{name}, percent-encoded"] = quote(value, safe="")
    return found


def named(text: str, secrets: dict[str, str]) -> list[str]:
    """Which secrets are in a text."""
    return [name for name, value in secrets.items() if value in text]


def files_with(host, secrets: dict[str, str]) -> dict[str, str]:
    """Every file of the server in which one of the values is, with its mode and owner; the values go over a pipe."""
    patterns = base64.b64encode("\n".join(sorted(set(secrets.values()))).encode()).decode()
    skipped = " ".join(f"--exclude-dir={name}" for name in SKIPPED)
    search = f"grep --recursive --files-with-matches --text --fixed-strings --devices=skip {skipped} --file=- /*"
    text = host.run(
        f"base64 --decode <<< {patterns} | {search} 2>/dev/null | xargs -r stat --format='%n %a %U:%G'"
    ).stdout
    return dict(line.split(" ", 1) for line in text.splitlines())


def quote_word(text: str) -> str:
    return "'" + text.replace("'", "'\\''") + "'"
