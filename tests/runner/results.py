# SPDX-FileCopyrightText: 2026 The selfhosting.lago authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""What a step came to, counted from its output, and the table of all of them."""

from __future__ import annotations

import dataclasses
import enum
import re
from collections.abc import Sequence
from pathlib import Path

from rich import box
from rich.console import Console
from rich.table import Table

# For example: ===== 2 failed, 31 passed, 1 error in 12.34s (0:00:12) =====
PYTEST_SUMMARY = re.compile(r"^\s*(?:=+ )?((?:\d+ [a-z ]+(?:, )?)+) in [\d.]+s\b", re.MULTILINE)
PYTEST_COUNT = re.compile(r"(\d+) ([a-z ]+)")
# In pytest's short summary, with the first lines of what it says: FAILED molecule/x.py::test_y - AssertionError: ...
PYTEST_FAILURE = re.compile(r"^\s*((?:FAILED|ERROR) .+(?:\n(?!\s*(?:FAILED|ERROR|=+) ).+){0,3})", re.MULTILINE)
# Of each failure, and how many of a step: whoever keeps only the end of the output still has all names.
FAILURE_LETTERS = 240
FAILURES_SHOWN = 6
# Wide enough for the table where the output is a file.
TABLE_WIDTH = 100


class Outcome(enum.Enum):
    PASSED = "passed"
    FAILED = "failed"
    TIMED_OUT = "timed out"
    NOT_RUN = "not run"
    INTERRUPTED = "interrupted"


@dataclasses.dataclass(frozen=True)
class Result:
    name: str
    group: str
    outcome: Outcome
    seconds: float = 0.0
    passed: int = 0
    failed: int = 0
    skipped: int = 0
    log: Path | None = None
    remark: str = ""

    @property
    def successful(self) -> bool:
        return self.outcome is Outcome.PASSED


def count(output: str, successful: bool) -> dict[str, int]:
    """How many checks passed, failed and were skipped. A step without pytest is one check."""
    totals = {"passed": 0, "failed": 0, "skipped": 0}
    kinds = {"passed": "passed", "failed": "failed", "error": "failed", "errors": "failed", "skipped": "skipped"}
    for summary in PYTEST_SUMMARY.findall(output):
        for number, word in PYTEST_COUNT.findall(summary):
            if word in kinds:
                totals[kinds[word]] += int(number)
    if successful and not totals["passed"]:
        totals["passed"] = 1
    if not successful and not totals["failed"]:
        totals["failed"] = 1
    return totals


def duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest:02} s" if minutes else f"{seconds:.1f} s"


def print_table(results: Sequence[Result], total_seconds: float) -> None:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for title in ("Group", "Step", "Outcome"):
        table.add_column(title, no_wrap=True)
    for title in ("Passed", "Failed", "Skipped", "Duration"):
        table.add_column(title, justify="right", no_wrap=True)
    for result in results:
        counts = (str(number) if number else "" for number in (result.passed, result.failed, result.skipped))
        spent = duration(result.seconds) if result.seconds else ""
        table.add_row(result.group, result.name, result.outcome.value, *counts, spent)
    table.add_section()
    table.add_row("", "all, from start to end", "", "", "", "", duration(total_seconds))
    console = Console(highlight=False)
    if not console.is_terminal:
        console.width = TABLE_WIDTH
    console.print(table)


def failures(results: Sequence[Result]) -> list[str]:
    """For each step that failed its name, why it ended, and its failed tests in a line each."""
    lines = []
    for result in results:
        if result.successful:
            continue
        lines.append(f"{result.outcome.value}: {result.name}" + (f", {result.remark}" if result.remark else ""))
        output = result.log.read_text(encoding="utf-8", errors="replace") if result.log else ""
        found = [" ".join(failure.split())[:FAILURE_LETTERS] for failure in PYTEST_FAILURE.findall(output)]
        lines += [f"  {failure}" for failure in found[:FAILURES_SHOWN]]
        if len(found) > FAILURES_SHOWN:
            lines.append(f"  and {len(found) - FAILURES_SHOWN} more")
    return lines


def last_line(results: Sequence[Result]) -> str:
    passed = sum(result.passed for result in results)
    failed = sum(result.failed for result in results)
    return f"{passed} passed, {failed} failed"
