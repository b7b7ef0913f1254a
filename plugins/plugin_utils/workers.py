# SPDX-FileCopyrightText: 2026 The selfhosting.lago authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Lago's workers: from a user's list to units, flags, pools and connections, all from one table of kinds."""

from __future__ import annotations

import re
import typing as t

from .render import environment_lines
from .versions import lago_version

# Connection pools of a Lago process on the one database (config/database.yml): primary and events, since v1.52 direct.
POOLS = 2
POOLS_MORE_SINCE = "v1.52.0"
MEMORY = re.compile(r"^([1-9][0-9]*)([bkmg]?)\Z")
BYTES = {"": 1, "b": 1, "k": 1024, "m": 1024**2, "g": 1024**3}
# As Rails' boolean cast reads a flag: all else is true.
FALSE = {"", "0", "f", "F", "false", "FALSE", "off", "OFF"}


def workers_of(entries: t.Iterable[t.Mapping], kinds: t.Mapping) -> list[dict[str, t.Any]]:
    """One dictionary for each kind that runs, the default worker first: it always does, for all queues without a flag.

    Of a kind that stands there twice the first counts, and an unknown one is left out: checks say so.
    """
    given: dict[str, t.Mapping] = {}
    for entry in entries or []:
        given.setdefault(str(entry.get("kind")), entry)
    found = []
    for kind in ["default", *(kind for kind in given if kind != "default" and kind in kinds)]:
        entry, facts = given.get(kind, {}), kinds[kind]
        dedicated = kind != "default"
        concurrency = entry.get("concurrency") or (facts["concurrency"] if dedicated else None)
        found.append(
            {
                "kind": kind,
                "dedicated": dedicated,
                "name": kind.replace("_", "-"),
                "script": facts["script"],
                "queues": list(facts["queues"]),
                "concurrency": int(concurrency) if concurrency else None,
                "replicas": _count(entry.get("replicas", 1)),
                "memory": str(entry["memory"]) if entry.get("memory") else None,
                # A job holds one connection of each pool at most; more would only count against Postgres.
                "environment": {"SIDEKIQ_CONCURRENCY": int(concurrency), "DATABASE_POOL": int(concurrency)}
                if concurrency
                else {},
            }
        )
    return found


def _count(value: t.Any) -> int:
    return max(1, int(value))


def flags_of(entries: t.Iterable[t.Mapping], kinds: t.Mapping) -> dict[str, t.Any]:
    """What all processes of Lago are told, so that the jobs of a kind go to its worker; None for what is not set."""
    flags: dict[str, t.Any] = {
        name: None for facts in kinds.values() for name in [facts.get("flag"), *facts.get("settings", {})] if name
    }
    for entry in entries or []:
        facts = kinds.get(entry.get("kind"), {})
        if facts.get("flag"):
            flags[facts["flag"]] = True
        for name, key in facts.get("settings", {}).items():
            value = entry.get(key)
            flags[name] = ",".join(map(str, value)) if isinstance(value, (list, tuple)) else value or None
    return flags


def not_in_version(entries: t.Iterable[t.Mapping], kinds: t.Mapping, version: str) -> list[str]:
    """The kinds that Lago's image of this version is not known to have."""
    return [
        entry["kind"]
        for entry in entries or []
        if entry.get("kind") in kinds and lago_version(kinds[entry["kind"]]["since"]) > lago_version(version)
    ]


def repeated(entries: t.Iterable[t.Mapping]) -> list[str]:
    names = [str(entry.get("kind")) for entry in entries or []]
    return sorted({name for name in names if names.count(name) > 1})


def incomplete(entries: t.Iterable[t.Mapping], kinds: t.Mapping) -> list[str]:
    """The keys of entries that do not fit their kind: what it needs and lacks, and what only other kinds have."""
    all_keys = {key for facts in kinds.values() for key in facts.get("settings", {}).values()}
    problems = []
    for entry in entries or []:
        facts = kinds.get(entry.get("kind"))
        if facts is None:
            continue
        own, needed = set(facts.get("settings", {}).values()), facts.get("needs", [])
        problems += [f"{entry['kind']} without {key}" for key in needed if not entry.get(key)]
        problems += [f"{entry['kind']} with {key}" for key in sorted(all_keys - own) if entry.get(key)]
    return problems


def out_of_range(entries: t.Iterable[t.Mapping]) -> list[str]:
    """Numbers below 1 and memory that Docker cannot read."""
    problems = []
    for entry in entries or []:
        for key in ("concurrency", "replicas"):
            if entry.get(key) is not None and int(entry[key]) < 1:
                problems.append(f"{entry['kind']}: {key} {entry[key]}")
        if entry.get("memory") and not MEMORY.match(str(entry["memory"])):
            problems.append(f"{entry['kind']}: memory {entry['memory']}")
    return problems


def problems_of(entries: t.Iterable[t.Mapping], kinds: t.Mapping, version: str, question: str) -> list[str]:
    """The answer to one question about the list; nothing where all is well."""
    return {
        "repeated": lambda: repeated(entries),
        "incomplete": lambda: incomplete(entries, kinds),
        "out of range": lambda: out_of_range(entries),
        "not in version": lambda: not_in_version(entries, kinds, version),
    }[question]()


def contradicted(text: str, entries: t.Iterable[t.Mapping], kinds: t.Mapping) -> list[str]:
    """Names in a user's own lines that say something else than the list of workers. Never their values."""
    lines, flags = environment_lines({}, str(text)), flags_of(entries, kinds)
    boolean = {facts["flag"] for facts in kinds.values() if facts.get("flag")}
    found = []
    for name, value in lines.items():
        if name in boolean:
            if (value not in FALSE) != bool(flags[name]):
                found.append(name)
        elif name in flags and value != str(flags[name] or ""):
            found.append(name)
    if any(entry.get("concurrency") for entry in entries or []):
        found += [name for name in ("SIDEKIQ_CONCURRENCY", "DATABASE_POOL") if name in lines]
    return found


def connections(workers: t.Iterable[t.Mapping], api_replicas: int, version: str, settings: t.Mapping, text: str) -> int:
    """How many connections to Postgres Lago may open at most: pools x their size x processes x replicas.

    `settings` and a user's own lines, which win, say DATABASE_POOL and WEB_CONCURRENCY.
    """
    environment = {**settings, **environment_lines({}, str(text))}
    pools = POOLS + (lago_version(version) >= lago_version(POOLS_MORE_SINCE))
    pool = int(environment["DATABASE_POOL"])
    # In single mode (0) there is one process, too.
    processes = max(1, int(environment["WEB_CONCURRENCY"] or 0))
    total = pools * pool * processes * int(api_replicas)
    total += sum(pools * (worker["concurrency"] or pool) * worker["replicas"] for worker in workers)
    # The clock has one thread.
    return total + pools


def memory_mb(workers: t.Iterable[t.Mapping], usual: str = "") -> int:
    """Sum of the memory limits, in whole MB; of a dedicated worker without one it is the usual one."""
    total = 0
    for worker in workers:
        match = MEMORY.match(worker["memory"] or (usual if worker["dedicated"] else ""))
        if match:
            total += int(match[1]) * BYTES[match[2]] * worker["replicas"]
    return total // 1024**2
