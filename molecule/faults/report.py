# SPDX-FileCopyrightText: 2026 The selfhosting.lago authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""docs/reliability.md, out of runs.jsonl and nothing else: `python -m faults.report`."""

from __future__ import annotations

import statistics
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from . import ledger, table

PAGE = Path(__file__).resolve().parents[2] / "docs" / "reliability.md"


def render() -> str:
    lines = table.recorded()
    environment = Environment(
        loader=FileSystemLoader(table.HERE), undefined=StrictUndefined, trim_blocks=True, keep_trailing_newline=True
    )
    # What is measured with two API containers, or to compare, is a table of its own.
    parts = {"planned": [], "unplanned": [], "two": [], "compared": []}
    for row in table.rows():
        of_row = [line for line in lines if line["fault"] == row["name"]]
        two = "two" if row.get("within") == "two_api_containers" else row["kind"]
        parts["compared" if row.get("compared") else two].append(summary(row, of_row))
    return environment.get_template("reliability.md.j2").render(
        parts=parts,
        runs=len(lines),
        wanted=sum(row["repetitions"] for row in table.rows()),
        commits=sorted({line["commit"] for line in lines}),
        first=min((line["at"] for line in lines), default="")[:10],
        last=max((line["at"] for line in lines), default="")[:10],
        loads=[line["load"] for line in lines if "load" in line],
        broken=[text for line in lines for text in misses(line)],
    )


def summary(row: dict, lines: list[dict]) -> dict:
    total = {name: sum(line[name] for line in lines) for name in SUMS}
    seconds = [line["failed_seconds"] for line in lines]
    return {
        **total,
        "name": row["name"],
        "wish": wish(row),
        "runs": len(lines),
        "repetitions": row["repetitions"],
        "clocks": span([line["clocks"] for line in lines]),
        "median": round(statistics.median(seconds), ledger.DIGITS) if seconds else "",
        "most": max(seconds, default=""),
        "as_wanted": sum(not ledger.broken_wishes(line, row) for line in lines),
    }


SUMS = ("accepted", "found", "duplicates", "jobs", "jobs_lost", "failed", "final", "human")


def span(numbers: list[int]) -> str:
    return "" if not numbers else f"{min(numbers)}" if len(set(numbers)) == 1 else f"{min(numbers)} to {max(numbers)}"


def wish(row: dict) -> str:
    """What is wanted beside what is wanted of all."""
    jobs = "at most jobs in progress or enqueued" if row.get("may_lose") else "no job"
    requests = {"none": ", no request fails", "in flight": ", only requests in flight fail"}
    return f"{jobs} lost{requests.get(row.get('may_fail', ''), '')}"


def misses(line: dict) -> list[str]:
    """Runs that were not as wanted, one by one."""
    row = next((row for row in table.rows() if row["name"] == line["fault"]), None)
    if row is None or row.get("compared"):
        return []
    return [f"{line['fault']}, run {line['repetition']}: {text}" for text in ledger.broken_wishes(line, row)]


if __name__ == "__main__":
    PAGE.write_text(render())
