# SPDX-FileCopyrightText: 2026 The selfhosting.lago authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""docs/variables.md from the specifications of all roles: python tests/variables_reference.py writes it."""

from __future__ import annotations

import json
import typing as t
from pathlib import Path

import yaml

REPOSITORY = Path(__file__).resolve().parents[1]
PAGE = REPOSITORY / "docs" / "variables.md"
# In the order in which they are brought up.
ROLES = ("base", "traefik", "postgres", "valkey", "lago", "backup", "adopt", "upgrade", "services")

# What stands above it in the page is written by hand.
MARKER = "<!-- From here on written by tests/variables_reference.py. -->"


def kind_of(option: t.Mapping) -> str:
    kind = option["type"]
    if kind == "list":
        kind = f"list of {option['elements']}"
    return kind + (", **secret**" if option.get("no_log") else "")


def default_of(option: t.Mapping) -> str:
    if "default" not in option:
        return "*computed*"
    value = option["default"]
    if value is None:
        return "none"
    if value in ("", [], {}) and not isinstance(value, (bool, int)):
        return "empty"
    return f"`{value if isinstance(value, str) else json.dumps(value)}`"


def rows(name: str, option: t.Mapping) -> t.Iterator[str]:
    text = option["description"]
    if "choices" in option:
        text += " One of: " + ", ".join(f"`{choice}`" for choice in option["choices"]) + "."
    for inner, suboption in option.get("options", {}).items():
        needed = "" if suboption.get("required") else " (may be left out)"
        text += f"<br>`{inner}`{needed}: {suboption['description']}"
    cells = (f"`{name}`", kind_of(option), default_of(option), text)
    yield "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def tables() -> str:
    lines = []
    for role in ROLES:
        path = REPOSITORY / "roles" / role / "meta" / "argument_specs.yml"
        entry = yaml.safe_load(path.read_text())["argument_specs"]["main"]
        lines += [f"## {entry['short_description']}", "", *entry["description"], ""]
        lines += ["| Variable | Type | Default | What it is |", "|---|---|---|---|"]
        for name, option in entry["options"].items():
            lines += rows(name, option)
        lines.append("")
    return "\n".join(lines)


def page() -> str:
    """The whole page as it should be."""
    return f"{PAGE.read_text().partition(MARKER)[0]}{MARKER}\n\n{tables()}"


if __name__ == "__main__":
    PAGE.write_text(page())
