# SPDX-FileCopyrightText: 2026 The selfhosting.lago authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""The list of images: images.yml with the versions of versions.yml filled in."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import yaml

from .shell import IMAGES, REPOSITORY

LOCAL = "selfhosting-test/"
DEBIAN = LOCAL + "debian:"


@dataclass(frozen=True)
class Image:
    name: str  # as the product names it, for example traefik:v3.7.15
    context: Path
    base: str
    args: dict[str, str] = field(default_factory=dict)
    wheel: str | None = None
    stock: bool = False

    @property
    def published(self) -> bool:
        return not self.name.startswith(LOCAL)

    @property
    def local_name(self) -> str:
        """On the development machine nothing of ours may pass for the public image."""
        return LOCAL + self.name if self.published else self.name

    @property
    def repository(self) -> str:
        """The path under which Docker asks a mirror of Docker Hub for it."""
        path = self.name.rpartition(":")[0]
        return path if "/" in path else f"library/{path}"

    @property
    def tag(self) -> str:
        return self.name.rpartition(":")[2]


def versions() -> dict[str, str]:
    return yaml.safe_load((REPOSITORY / "versions.yml").read_text())["mash_playbook_versions"]


def load() -> list[Image]:
    entries = yaml.safe_load((IMAGES / "images.yml").read_text())["images"]
    return [image for entry in entries for image in expand(entry)]


def expand(entry: dict) -> list[Image]:
    """One image for each release and version of an entry."""
    known = {name: str(value) for name, value in versions().items() if isinstance(value, str | int | float)}
    found = []
    for release in entry.get("releases", ["trixie"]):
        for version in dict.fromkeys(text.format(**known) for text in entry.get("versions", [""])):
            values = known | {"release": release, "version": version}
            found.append(
                Image(
                    name=entry["name"].format(**values),
                    context=IMAGES / entry["context"],
                    base=entry.get("base", DEBIAN + "{release}").format(**values),
                    args={key: value.format(**values) for key, value in entry.get("args", {}).items()},
                    wheel=entry["wheel"].format(**values) if "wheel" in entry else None,
                    stock=str(entry.get("stock", "no")).format(**values) in ("True", version),
                )
            )
    return found
