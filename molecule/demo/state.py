# SPDX-FileCopyrightText: 2026 The selfhosting.lago authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""What the demo remembers from one run to the next, and what it has made."""

from __future__ import annotations

import json
import os
import secrets
from dataclasses import asdict, dataclass, field
from pathlib import Path

from testbed import engine, registry, servers
from testbed.shell import TestbedError, default_state_directory, docker, say, state_directory

RUN = "demo"  # the test bed's name for the demo's servers
SERVER = "lago"
HOST = "lago.test"


@dataclass
class Demo:
    release: str
    images: str  # stand-in or public
    # What was not there before the demo: `bin/demo down` removes this and nothing else.
    made_state: bool = False
    made_engine: bool = False
    made_network: bool = False
    made_registry: bool = False
    made_images: list[str] = field(default_factory=list)
    new: bool = field(default=True, compare=False)

    @property
    def inventory(self) -> Path:
        return directory() / "inventory" / "hosts"

    def save(self) -> None:
        write(note(), {key: value for key, value in asdict(self).items() if key != "new"})


def directory() -> Path:
    return default_state_directory() / "demo"


def note() -> Path:
    return directory() / "demo.json"


def login_file() -> Path:
    return directory() / "login.json"


def certificate() -> Path:
    return directory() / "certificate.pem"


def read() -> Demo | None:
    return Demo(**json.loads(note().read_text()), new=False) if note().exists() else None


def open_or_begin(release: str | None, images: str | None) -> Demo:
    """The demo that is there, with a Docker that answers; what is asked for must be what it is."""
    demo = read()
    for asked, name in ((release, "release"), (images, "images")):
        if demo and asked and asked != getattr(demo, name):
            raise TestbedError(f"There is a demo with {getattr(demo, name)} already; end it first: bin/demo down")
    if demo is None:
        demo = Demo(release or "trixie", images or images_here(), made_state=not default_state_directory().exists())
    state_directory()
    directory().mkdir(mode=0o700, exist_ok=True)
    if not engine.answers():
        if os.geteuid() != 0:
            raise TestbedError("No Docker engine answers this user. Run as root, or start Docker and try again.")
        demo.made_engine = True
        demo.save()
        engine.ensure()
    demo.made_network |= not there("network", registry.NETWORK)
    demo.made_registry |= not there("container", registry.REGISTRY)
    demo.save()
    return demo


def images_here() -> str:
    if registry.hub_answers():
        say("Docker Hub answers: Lago's own images")
        return "public"
    say("Docker Hub does not answer from here: stand-ins for Lago's images, built from Debian's packages")
    return "stand-in"


def there(kind: str, name: str) -> bool:
    return bool(docker(kind, "inspect", "--format", "there", name, check=False))


def server() -> servers.Server | None:
    return servers.find(RUN, SERVER)


def login() -> dict[str, str]:
    """Who may log in: made for the first organisation, and only readable by who runs the demo."""
    if not login_file().exists():
        made = {
            "organization": "Demo",
            "email": f"admin@{HOST}",
            "password": secrets.token_urlsafe(12),
            "api_key": secrets.token_hex(16),
        }
        write(login_file(), made)
    return json.loads(login_file().read_text())


def write(path: Path, content: dict) -> None:
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        json.dump(content, file, indent=2)
        file.write("\n")
