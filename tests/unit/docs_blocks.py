# SPDX-FileCopyrightText: 2026 The selfhosting.lago authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""The code blocks of the documentation, and what one of them changes when it is put into a vars.yml."""

from __future__ import annotations

import difflib
import functools
import json
import re
import typing as t
from dataclasses import dataclass

import yaml
from virtual_host import PRODUCTS, REPOSITORY, VirtualHost

TABLE = REPOSITORY / "tests" / "unit" / "docs-blocks.yml"
HEADING = re.compile(r"^#+ (.*)$")
FENCE = re.compile(r"^```(\w*)$")
# Where a block is put: everything on one server, or a server with a secret key and nothing else.
BASES = {"lago": ("lago.example.com", {}), "nothing": ("bare.example.com", {"mash_playbook_generic_secret_key": "key"})}


# A unit lists its files there; which ones come and go is said by themselves.
INPUTS = "/inputs.sha256'"


@dataclass(frozen=True)
class Block:
    page: str
    heading: str
    number: int  # below that heading, from 1 on
    language: str
    text: str

    @property
    def name(self) -> str:
        return f"{self.page}: {self.heading}: {self.number}"


def pages() -> list[str]:
    found = [REPOSITORY / "README.md", *sorted((REPOSITORY / "docs").rglob("*.md"))]
    return [str(path.relative_to(REPOSITORY)) for path in found]


def blocks_of(page: str, text: str) -> list[Block]:
    blocks, heading, number, language, lines = [], "", 0, None, []
    for line in text.splitlines():
        fence = FENCE.match(line)
        if language is not None and line == "```":
            number += 1
            blocks.append(Block(page, heading, number, language, "".join(f"{one}\n" for one in lines)))
            language = None
        elif language is not None:
            lines.append(line)
        elif fence:
            language, lines = fence[1], []
        elif title := HEADING.match(line):
            heading, number = title[1], 0
    return blocks


def all_blocks() -> list[Block]:
    return [block for page in pages() for block in blocks_of(page, (REPOSITORY / page).read_text())]


def table() -> dict:
    return yaml.safe_load(TABLE.read_text())


def name_of(row: dict) -> str:
    return f"{row['page']}: {row['heading']}: {row.get('number', 1)}"


def variables_of(text: str) -> dict:
    return yaml.safe_load(text) or {}


@functools.cache
def _host(base: str, around: str, unset: tuple[str, ...], block: str) -> dict[str, list[str]]:
    name, values = BASES[base]
    change = {**values, **json.loads(around), **(variables_of(block) if block else {})}
    host = VirtualHost(name, change=change, unset=unset)
    files: dict[str, list[str]] = {}
    summary = []
    for product in PRODUCTS:
        if host.product(product).enabled:
            plan = host.plan(product, host.empty_server())
            for file in plan.stage_files + plan.swap_files:
                files[file["path"]] = file["content"].splitlines()
            summary += [f"network {network['name']}" for network in plan.networks]
            summary += [f"image {image['reference']}" for image in plan.images]
            summary += [f"unit {unit}" for unit in plan.all_units]
    return {"networks, images, units": list(dict.fromkeys(summary)), **files}


def difference(row: dict, block: str) -> dict[str, t.Any]:
    """Each file that the block changes: the lines that come and go, or that the file itself does."""
    where = (row.get("base", "lago"), json.dumps(row.get("with", {})), tuple(row.get("unset", ())))
    before, after = _host(*where, ""), _host(*where, block)
    found: dict[str, t.Any] = {}
    for path in sorted(before.keys() | after.keys()):
        if path not in before or path not in after:
            found[path] = "new" if path in after else "gone"
        elif before[path] != after[path]:
            lines = difflib.ndiff(before[path], after[path])
            found[path] = [line for line in lines if line[:2] in ("+ ", "- ") and INPUTS not in line]
    return found


def write(rows: list[dict], commands: dict) -> None:
    head = TABLE.read_text().partition("---\n")[0]
    body = yaml.safe_dump(
        {"commands": commands, "blocks": rows},
        sort_keys=False,
        width=10_000,
        default_flow_style=False,
        allow_unicode=True,
    )
    TABLE.write_text(f"{head}---\n# yamllint disable rule:line-length rule:indentation\n{body}")
