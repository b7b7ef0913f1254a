# SPDX-FileCopyrightText: 2026 The selfhosting.lago authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""The command line: bin/test --help."""

from __future__ import annotations

import argparse
import os
import signal
import sys
import time
from pathlib import Path

from . import results, steps
from .processes import Processes
from .run import Run

REPOSITORY = Path(__file__).resolve().parents[2]


def parser() -> argparse.ArgumentParser:
    top = argparse.ArgumentParser(prog="bin/test", description="Runs everything that CI runs, or a part of it.")
    top.add_argument("--list", action="store_true", help="only list the steps")
    top.add_argument("--fast", action="store_true", help="only what needs neither Docker nor a server")
    top.add_argument(
        "--full",
        action="store_true",
        help="every scenario on every release, and tests that are marked as long: not only what CI has time for",
    )
    top.add_argument("--only", metavar="NAME", action="append", help="this step (or pattern) and what it needs")
    top.add_argument("--group", metavar="NAME", action="append", help="the steps of this group and what they need")
    top.add_argument(
        "--images",
        choices=["stand-in", "public"],
        default=os.environ.get("TESTBED_IMAGES", "stand-in"),
        help="stand-ins built here, or the real images from public registries (default %(default)s)",
    )
    return top


def chosen(options: argparse.Namespace, groups: list[steps.Group]) -> list[steps.Group]:
    if options.fast:
        groups = steps.only(groups, lambda step: step.fast)
    if options.only:
        groups = steps.select(groups, steps.matching(options.only, groups, "name"))
    if options.group:
        groups = steps.select(groups, steps.matching(options.group, groups, "group"))
    return groups


def interrupt(*_) -> None:
    raise KeyboardInterrupt


def main() -> int:
    options = parser().parse_args()
    os.chdir(REPOSITORY)
    try:
        everything = steps.load(REPOSITORY / "tests" / "steps.yml", options.full)
        groups = chosen(options, everything)
    except steps.StepsError as error:
        print(f"bin/test: {error}", file=sys.stderr)
        return 2
    absent = [step for group in groups for step in group.steps if step.if_exists and not Path(step.if_exists).exists()]
    for step in absent:
        print(f"absent  {step.name}: there is no {step.if_exists} yet")
    groups = steps.only(groups, lambda step: step not in absent)
    if options.list:
        for group in groups:
            for step in group.steps:
                print(f"{group.name:12} {step.name:24} {step.command}")
        return 0

    logs = Path(os.environ.get("STATE_DIRECTORY", ".state")) / "test"
    logs.mkdir(parents=True, exist_ok=True)
    signal.signal(signal.SIGTERM, interrupt)
    environment = {**os.environ, "TESTBED_IMAGES": options.images, "NO_COLOR": "1", "PYTHONUNBUFFERED": "1"}
    if options.full:
        environment["LONG_TESTS"] = "1"
    # The runner's own; a step sets what it needs.
    environment.pop("PYTHONPATH", None)
    run = Run(groups, Processes(environment), logs)
    begin = time.monotonic()
    done = run.all()
    results.print_table(done, time.monotonic() - begin)
    for line in results.failures(done):
        print(line)
    print(results.last_line(done), flush=True)
    if run.interrupted:
        return 130
    return 0 if all(result.successful for result in done) else 1


if __name__ == "__main__":
    sys.exit(main())
