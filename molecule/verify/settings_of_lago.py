# SPDX-FileCopyrightText: 2026 The selfhosting.lago authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Every setting of Lago, as users write it and as its processes have it: vars/settings_of_lago.yml."""

from __future__ import annotations

import json
from pathlib import Path

import yaml

from . import inside

ROUNDS = yaml.safe_load(Path(__file__).with_name("vars").joinpath("settings_of_lago.yml").read_text())
PREFIX = "lago_api_environment_variable_"
PROCESSES = ["mash-lago-api", "mash-lago-api-worker", "mash-lago-api-clock"]
# The stand-in has neither the clients of S3 and Google nor a way out to the vendor: both services are directories in
# it, and the licence is believed.
STORAGE = {name: {"service": "Disk", "root": "/app/storage"} for name in ("local", "amazon", "google")}
FILES = {"storage.yml": json.dumps(STORAGE), "license.rb": ""}
PLACES = {"storage.yml": "/app/config/storage.yml", "license.rb": "/app/config/initializers/license.rb"}


def variables(host, which: str) -> dict:
    """What the user sets in one of the rounds; the stand-in can start with it."""
    for file, text in FILES.items():
        host.check_output("printf %s > /root/%s", text, file)
    mounts = [
        {"type": "bind", "src": f"/root/{file}", "dst": place, "options": "readonly"} for file, place in PLACES.items()
    ]
    values = {PREFIX + name.lower(): value for name, (value, _written) in ROUNDS[which].items()}
    return {"lago_api_container_additional_volumes_custom": mounts, **values}


def written(which: str) -> dict[str, str]:
    return {name: text for name, (_value, text) in ROUNDS[which].items()}


def environment(host, container: str) -> dict[str, str]:
    """Of a container's first process, as the kernel has it; Puma writes its title over its own."""
    pid = inside.containers(host)[container]["State"]["Pid"]
    text = host.file(f"/proc/{pid}/environ").content.decode()
    return dict(entry.split("=", 1) for entry in text.split("\0") if "=" in entry)
