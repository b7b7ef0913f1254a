# SPDX-FileCopyrightText: 2026 The selfhosting.lago authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""The steps as data, and which of them a command line asks for."""

from __future__ import annotations

import dataclasses
import fnmatch
from collections.abc import Callable, Iterable
from pathlib import Path

import yaml

# Longer than any fast check takes on a slow machine; what needs more says so.
DEFAULT_LIMIT_SECONDS = 300
# Of a scenario that has a server of each release.
TOGETHER = "together"


class StepsError(Exception):
    """tests/steps.yml or the selection makes no sense."""


@dataclasses.dataclass(frozen=True)
class Step:
    name: str
    command: str
    group: str
    fast: bool = False
    needs: tuple[str, ...] = ()
    limit: float = DEFAULT_LIMIT_SECONDS
    cleanup: str | None = None
    if_exists: str | None = None


@dataclasses.dataclass(frozen=True)
class Group:
    name: str
    steps: tuple[Step, ...]


def load(path: Path, full: bool = False) -> list[Group]:
    """The groups of the list; when full, with every scenario on every release."""
    groups = []
    for entry in yaml.safe_load(path.read_text(encoding="utf-8")):
        try:
            if "scenarios" in entry:
                entry["steps"] = list(scenario_steps(entry, full))
            steps = tuple(
                Step(
                    group=entry["group"],
                    fast=entry.get("fast", False),
                    **{**step, "needs": tuple(step.get("needs", ()))},
                )
                for step in entry["steps"]
            )
        except (KeyError, TypeError) as error:
            raise StepsError(f"{path}: group {entry.get('group')}: {error}") from error
        groups.append(Group(entry["group"], steps))
    check(groups, path)
    return groups


def scenario_steps(entry: dict, full: bool) -> Iterable[dict]:
    """The template of a group filled in for each of its scenarios and releases."""
    for scenario, releases in entry["scenarios"].items():
        if releases == TOGETHER:
            yield filled_in(entry["step"], scenario, TOGETHER)
            continue
        unknown = set(releases) - set(entry["releases"])
        if unknown:
            raise StepsError(f"scenario {scenario}: {', '.join(sorted(unknown))} is none of {entry['releases']}")
        for release in entry["releases"] if full else releases:
            yield filled_in(entry["step"], scenario, release)


def filled_in(step: dict, scenario: str, release: str) -> dict:
    return {
        key: value.format(scenario=scenario, release=release) if isinstance(value, str) else value
        for key, value in step.items()
    }


def check(groups: list[Group], path: Path) -> None:
    seen: set[str] = set()
    for group in groups:
        for step in group.steps:
            if step.name in seen:
                raise StepsError(f"{path}: two steps are named {step.name}")
            for need in step.needs:
                if need not in seen:
                    raise StepsError(f"{path}: {step.name} needs {need}, which is no step before it")
            seen.add(step.name)


def select(groups: list[Group], keep: Callable[[Step], bool]) -> list[Group]:
    """The groups with only the steps to keep, and what these need."""
    wanted = {step.name for group in groups for step in group.steps if keep(step)}
    for group in reversed(groups):
        for step in reversed(group.steps):
            if step.name in wanted:
                wanted.update(step.needs)
    return only(groups, lambda step: step.name in wanted)


def only(groups: list[Group], keep: Callable[[Step], bool]) -> list[Group]:
    kept = [dataclasses.replace(group, steps=tuple(step for step in group.steps if keep(step))) for group in groups]
    return [group for group in kept if group.steps]


def matching(patterns: Iterable[str], groups: list[Group], attribute: str) -> Callable[[Step], bool]:
    """Whether a step's attribute fits one of the patterns; a pattern that fits nothing is an error."""
    known = {getattr(step, attribute) for group in groups for step in group.steps}
    wanted: set[str] = set()
    for pattern in patterns:
        found = set(fnmatch.filter(known, pattern))
        if not found:
            raise StepsError(f"no {attribute} fits {pattern}; there are: {', '.join(sorted(known))}")
        wanted |= found
    return lambda step: getattr(step, attribute) in wanted
