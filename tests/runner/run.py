# SPDX-FileCopyrightText: 2026 The selfhosting.lago authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Runs steps in the order of the list, some side by side."""

from __future__ import annotations

import concurrent.futures
import time
from collections.abc import Sequence
from pathlib import Path

from .processes import Processes
from .results import Outcome, Result, count, duration
from .steps import Group, Step

# What a cleanup may take.
CLEANUP_LIMIT_SECONDS = 180
# Lines of a failed step's log to show.
TAIL_LINES = 60
# A step is one process at work or a server of tests, which is about what a core can do.
AT_ONCE = 2


class Run:
    def __init__(self, groups: Sequence[Group], processes: Processes, logs: Path, at_once: int = AT_ONCE) -> None:
        self.groups = groups
        self.processes = processes
        self.logs = logs
        self.at_once = at_once
        self.live = sum(len(group.steps) for group in groups) == 1
        self.results: dict[str, Result] = {}
        self.started: set[str] = set()
        self.interrupted = False

    def all(self) -> list[Result]:
        try:
            self.run()
        except KeyboardInterrupt:
            self.interrupted = True
            print("Interrupted: ending what runs and cleaning up", flush=True)
            self.processes.stop()
            self.processes.allow()
            for step in self.steps():
                if step.name in self.started and step.name not in self.results:
                    self.clean_up(step)
        return [self.results.get(step.name) or self.unfinished(step) for step in self.steps()]

    def steps(self) -> list[Step]:
        return [step for group in self.groups for step in group.steps]

    def run(self) -> None:
        """A step begins when those it needs are done; at most at_once run."""
        waiting = self.steps()
        selected = {step.name for step in waiting}
        running: dict[concurrent.futures.Future[Result], Step] = {}
        pool = concurrent.futures.ThreadPoolExecutor(self.at_once)
        try:
            while waiting or running:
                for step in list(waiting):
                    ready = all(need in self.results for need in step.needs if need in selected)
                    if ready and len(running) < self.at_once:
                        waiting.remove(step)
                        running[pool.submit(self.step, step)] = step
                done, _ = concurrent.futures.wait(running, return_when=concurrent.futures.FIRST_COMPLETED)
                for future in done:
                    step = running.pop(future)
                    self.results[step.name] = future.result()
                    self.report(self.results[step.name])
        finally:
            pool.shutdown(wait=False, cancel_futures=True)

    def step(self, step: Step) -> Result:
        failed = [need for need in step.needs if need in self.results and not self.results[need].successful]
        if failed:
            return Result(step.name, step.group, Outcome.NOT_RUN, remark=f"needs {', '.join(failed)}")
        log = self.logs / f"{step.name}.log"
        log.write_text(f"$ {step.command}\n", encoding="utf-8")
        self.started.add(step.name)
        print(f"start   {step.name}", flush=True)
        begin = time.monotonic()
        code = self.processes.run(step.command, log, step.limit, self.live)
        seconds = time.monotonic() - begin
        outcome = {0: Outcome.PASSED, None: Outcome.TIMED_OUT}.get(code, Outcome.FAILED)
        totals = count(log.read_text(encoding="utf-8", errors="replace"), outcome is Outcome.PASSED)
        remark = f"limit {step.limit:.0f} s" if code is None else f"exit code {code}" if code else ""
        # After an interruption the main thread cleans up, when everything has ended.
        if outcome is not Outcome.PASSED and not self.interrupted:
            self.clean_up(step)
        return Result(step.name, step.group, outcome, seconds, **totals, log=log, remark=remark)

    def clean_up(self, step: Step) -> None:
        if step.cleanup:
            print(f"clean   {step.name}", flush=True)
            self.processes.run(step.cleanup, self.logs / f"{step.name}.cleanup.log", CLEANUP_LIMIT_SECONDS)

    def report(self, result: Result) -> None:
        remark = f", {result.remark}" if result.remark else ""
        print(f"{result.outcome.value:7} {result.name} ({duration(result.seconds)}{remark})", flush=True)
        if result.log and not result.successful:
            print(tail(result.log), flush=True)

    def unfinished(self, step: Step) -> Result:
        outcome = Outcome.INTERRUPTED if step.name in self.started else Outcome.NOT_RUN
        return Result(step.name, step.group, outcome)


def tail(log: Path) -> str:
    lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
    cut = f"... the last {TAIL_LINES} of {len(lines)} lines\n" if len(lines) > TAIL_LINES else ""
    shown = "\n".join(f"    {line}" for line in lines[-TAIL_LINES:])
    return f"{cut}{shown}\n    whole log: {log}"
