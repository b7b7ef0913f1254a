# SPDX-FileCopyrightText: 2026 The selfhosting.lago authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""How an adopted compose project is moved: what is said before and at the end, and what the program is told."""

from __future__ import annotations

import typing as t

from ..module_utils.compose import endpoint
from .adoption import Adoption, megabytes

# In which they are stopped: nothing new comes in, then nothing is taken, then nothing is served.
ORDER = ("clock", "worker", "api", "front", "pdf")


def announced(project: t.Mapping, adoption: Adoption, postgres_version: t.Any) -> list[str]:
    """What would be done, without secrets."""
    processes, storage = project["processes"], project["storage"]
    postgres = project["postgres"]
    stopped = [name for process in ORDER for name in processes.get(process, [])]
    return [
        f"Compose project {', '.join(project['names'])} in {project['directory']}: Lago "
        f"{adoption.passing['lago_version']}, which stays",
        f"Postgres {postgres.get('version', '(stopped)')} of {', '.join(processes['postgres'])}: "
        f"{megabytes(postgres.get('bytes', 0))} go into Postgres {postgres_version} by dump and restore; all rows are "
        "counted before and after",
        f"Redis of {', '.join(processes['redis'])}: queued jobs, key by key",
        f"Files: {storage['files']}, {megabytes(storage['bytes'])}; most are copied before anything stops",
        "Keys: those of the containers" + (" and of the volume" if project["rsa_key"] else ""),
        f"Lago is down from the stop of {', '.join(stopped)} until the new one answers: about as long as the dump and "
        "the restore take",
        "The project's volumes are not changed; its containers stay, stopped, and do not start at boot",
        "Lines for vars.yml:",
        *(f"    {line}" for line in adoption.lines()),
    ]


def proven(tables: t.Mapping[str, t.Mapping[str, int]]) -> tuple[list[str], list[str]]:
    """Problems and what is said of a try to decrypt what is stored."""
    problems, hints = [], []
    for table, counts in sorted(tables.items()):
        if counts["configured"] < counts["live"]:
            problems.append(
                f"{table}: {counts['live']} stored credentials are readable there, {counts['configured']} here."
            )
        elif counts["configured"] < counts["rows"]:
            unreadable = counts["rows"] - counts["configured"]
            hints.append(f"{table}: {unreadable} stored credentials are readable with no key, in the project neither.")
        elif counts["rows"]:
            hints.append(f"{table}: {counts['rows']} stored credentials were decrypted with the keys that are moved.")
    return problems, hints


def lost(before: t.Mapping[str, t.Mapping[str, int]], after: t.Mapping[str, t.Mapping[str, int]]) -> list[str]:
    """What could be decrypted there and cannot here."""
    return [
        f"{table}: {counts['live']} there, {after.get(table, {}).get('live', 0)} here"
        for table, counts in sorted(before.items())
        if after.get(table, {}).get("live", 0) < counts["live"]
    ]


def request(project: t.Mapping, ours: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    """What the program on the server is told; `ours` are the values of here."""
    processes = project["processes"]
    environment = project["containers"][processes["api"][0]]["environment"]
    database, redis = endpoint(environment["DATABASE_URL"]), endpoint(environment["REDIS_URL"])
    ordered = [*ORDER, *sorted(processes.keys() - {*ORDER, "postgres", "redis"})]
    return {
        "directory": project["directory"],
        "record_path": ours["record_path"],
        "source": {
            "processes": {process: processes[process] for process in ordered if process in processes},
            "data": list(dict.fromkeys([*processes["postgres"], *processes["redis"]])),
            "quiet": ours["quiet"],
            "drain_seconds": ours["drain_seconds"],
        },
        "postgres": {
            "source": {
                "container": processes["postgres"][0],
                "user": database["username"],
                "database": database["path"],
            },
            "target": ours["postgres"],
        },
        "redis": {
            "source": {
                "container": processes["redis"][0],
                "port": redis["port"] or 6379,
                "username": redis["username"],
                "password": environment.get("REDIS_PASSWORD") or redis["password"],
                "database": int(redis["path"]) if redis["path"].isdigit() else 0,
            },
            "target": ours["redis"],
        },
        "storage": {**ours["storage"], "source": project["storage"]["path"]},
    }


def way_back(project: t.Mapping) -> list[str]:
    """How the project is started again; what Lago has taken in since then is not there."""
    data = {*project["processes"].get("postgres", []), *project["processes"].get("redis", [])}
    names = sorted((name for name, one in before(project).items() if one["running"]), key=lambda name: name not in data)
    if not names:
        return []
    return [
        "To go back to the project, without what has come in here since: just stop-all, then on the server:",
        f"    docker update --restart=unless-stopped {' '.join(names)}",
        f"    docker start {' '.join(names)}",
    ]


def farewell(project: t.Mapping) -> list[str]:
    """How the project is deleted, once nobody needs it."""
    there = [name for name in sorted(before(project)) if name in project["containers"]]
    volumes = sorted({volume for name in there for volume in project["containers"][name]["volumes"]})
    if not there:
        return ["Of the project nothing is left."]
    return [
        "To delete the project with its data, the only copy of how all was before, on the server:",
        f"    docker rm {' '.join(there)}",
        *([f"    docker volume rm {' '.join(volumes)}"] if volumes else []),
    ]


def before(project: t.Mapping) -> dict[str, t.Mapping]:
    """The containers that are Lago's, with how they were when the adoption began."""
    ours = {name for names in project["processes"].values() for name in names}
    noted = project["record"].get("containers")
    return noted or {name: one for name, one in project["containers"].items() if name in ours}
