# SPDX-FileCopyrightText: 2026 The selfhosting.lago authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""The rows of faults.yml, and the runs of them that runs.jsonl has."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import yaml

HERE = Path(__file__).parent
DATA = HERE / "data"
RUNS = DATA / "runs.jsonl"
# Raised when a count gets another meaning: runs of another suite count for nothing.
SUITE = 1
REPETITIONS, OFTEN = 3, 10


def rows() -> list[dict]:
    """One for each fault, without `of` lists."""
    return [row for entry in yaml.safe_load((DATA / "faults.yml").read_text()) for row in expanded(entry)]


def expanded(entry: dict) -> Iterator[dict]:
    for of in entry.get("of", [None]):
        given = {"repetitions": OFTEN if of in entry.get("often", []) else REPETITIONS}
        row = {**given, **{key: value for key, value in entry.items() if key not in ("of", "often", "short")}}
        row["name"] = entry["name"].format(of=of)
        row["with"] = {**entry.get("with", {}), **({"of": of} if of else {})}
        row["short"] = of in entry.get("short", []) if of else entry.get("short", False)
        yield row


def recorded(path: Path = RUNS) -> list[dict]:
    """The runs of this suite, in the order in which they were made."""
    lines = path.read_text().splitlines() if path.exists() else []
    return [line for line in map(json.loads, lines) if line["suite"] == SUITE]


def missing(path: Path = RUNS) -> list[tuple[dict, int]]:
    """Row and number of each run that the file does not have yet."""
    done = {(line["fault"], line["repetition"]) for line in recorded(path)}
    wanted = [(row, number) for row in rows() for number in range(1, row["repetitions"] + 1)]
    return [(row, number) for row, number in wanted if (row["name"], number) not in done]


def append(line: dict, path: Path = RUNS) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as file:
        file.write(json.dumps(line) + "\n")
