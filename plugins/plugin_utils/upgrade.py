# SPDX-FileCopyrightText: 2026 The selfhosting.lago authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""The way of an upgrade: from one release of Lago to another, by the releases at which it has to stop."""

from __future__ import annotations

import dataclasses
import time
import typing as t

from .product import Product
from .versions import lago_version, stops_between

# What is noted on the server, under this name beside the records of the gates.
RECORD = "upgrade"
# Of a way back that is not done, in the record: the backup is being put back; it is there; Lago of before serves.
ROLLING_BACK, PUT_BACK, SENDING_AGAIN = "rolling back", "put back", "sending again"
UNDER_WAY = (ROLLING_BACK, PUT_BACK, SENDING_AGAIN)


class UpgradeError(Exception):
    """There is no way; the message says why and what to type."""


@dataclasses.dataclass
class Hop:
    """One release on the way: it is installed, its tasks are run, and their queue is empty before the next."""

    version: str
    why: list[str]
    # Of bin/rails: each the task, the variables of its environment, whether it ends by itself.
    tasks: list[dict]
    # What only a person can do there, before the next hop.
    by_hand: list[str]
    # It was begun by a run that died.
    begun: bool = False


def rails_task(text: str, endless: bool = False) -> dict[str, t.Any]:
    """Of "NAME VARIABLE=value" the parts."""
    name, *assignments = text.split()
    return {"name": name, "environment": dict(one.split("=", 1) for one in assignments), "endless": endless}


def release_for(stop: t.Mapping, known: t.Iterable[str]) -> str:
    """The newest release that is known of those at which one may stop there."""
    lowest, limit = lago_version(stop["at"]), lago_version(stop["before"])
    return max([stop["at"], *(one for one in known if lowest <= lago_version(one) < limit)], key=lago_version)


def destination(present: str, asked: str, configured: str, newest: str) -> str:
    """Where it goes: what was asked for, else what vars.yml says where that is newer, else the newest pinned one."""
    for text in (asked, configured):
        try:
            lago_version(text or present)
        except ValueError as error:
            raise UpgradeError(f"{error}. Type: just upgrade {newest}") from None
    if asked:
        return asked if asked.startswith("v") else f"v{asked}"
    return configured if lago_version(configured) > lago_version(present) else newest


def facts_of(lago: Product) -> dict[str, t.Any]:
    """What the data of Lago says of stops, tasks and releases; `newest` is the pinned one."""
    newest, highest = lago.variable("mash_playbook_versions")["lago"], lago.variable("lago_version_highest")
    return {
        "stops": lago.variable("lago_upgrade_stops"),
        "always": lago.variable("lago_upgrade_tasks"),
        "newest": newest,
        "highest": highest,
        "known": [newest, highest],
    }


def containers_of(lago: Product) -> list[str]:
    """Those that say which Lago runs."""
    names = ("lago_api_identifier", "lago_api_worker_identifier", "lago_api_clock_identifier")
    return [lago.variable(name) for name in names]


def hops(present: str, wanted: str, facts: t.Mapping, begun: str = "") -> list[Hop]:
    """All releases on the way, oldest first.

    `facts` has stops, always (tasks of every release), highest (newest release that was read) and known releases.
    `begun` is the release that an earlier run brought to the server and did not finish.
    """
    if not present:
        raise UpgradeError("There is no Lago on this server. Type: just install-all")
    # Patch releases add no stops.
    if lago_version(wanted)[:2] > lago_version(facts["highest"])[:2]:
        raise UpgradeError(
            f"{wanted} is newer than what this clone knows the mandatory stops of ({facts['highest']}). "
            f"Type: just update, or: just upgrade {facts['highest']}"
        )
    if lago_version(wanted) < lago_version(present):
        raise UpgradeError(
            f"The server has {present}, and an older Lago cannot work with the database of a newer one. "
            "Type: just rollback, where the last upgrade began with the release that you want."
        )
    # One whose migration failed is not there, and perhaps another one is wanted by now.
    first = [begun] if begun == present else []
    stops = stops_between(facts["stops"], present, wanted)
    versions = [*first, *(release_for(stop, facts["known"]) for stop in stops)]
    if lago_version(wanted) > lago_version(versions[-1] if versions else present):
        versions.append(wanted)
    return [_hop(version, wanted, facts, version in first) for version in versions]


def _hop(version: str, wanted: str, facts: t.Mapping, begun: bool) -> Hop:
    number = lago_version(version)
    here = [stop for stop in facts["stops"] if lago_version(stop["at"]) <= number < lago_version(stop["before"])]
    why = [f"mandatory stop {stop['at']} before {stop['before']}: {stop['task']}" for stop in here]
    if version == wanted:
        why.append("it is where you want to go")
    if begun:
        why.insert(0, "an earlier run ended on its way there")
    tasks, seen = [], set()
    for stop in here:
        for text in stop["rails"]:
            tasks.append(rails_task(text, stop.get("endless", False)))
            seen.add(text)
    for row in facts["always"]:
        if number >= lago_version(row["since"]) and row["rails"] not in seen:
            tasks.append(rails_task(row["rails"]))
    return Hop(version, why, tasks, [stop["task"] for stop in here if stop.get("by_hand") and version != wanted], begun)


def described(
    present: t.Mapping, way: t.Sequence[Hop], gates: t.Mapping[str, t.Sequence[str]], options: t.Mapping
) -> str:
    """The plan for people. `present` has version, images and schema; `gates` the migration of each release."""
    schema = present["schema"] or "unknown, no container of Lago runs"
    lines = [f"Lago {present['version']} is there (schema {schema})."]
    lines += [f"  {name} runs {image}" for name, image in sorted(present["images"].items())]
    if not way:
        return "\n".join([*lines, "There is nothing to upgrade."])
    lines += [f"{len(way)} hop{'s' if len(way) > 1 else ''} to {way[-1].version} (source: {options['source']}):"]
    for number, hop in enumerate(way, 1):
        lines.append(f"  {number}. {hop.version}")
        lines += [f"     why:       {why}" for why in hop.why]
        lines.append(f"     backup:    {options['backup']}")
        lines.append(f"     migration: {' '.join(gates[hop.version])}")
        for task in hop.tasks:
            words = [f"{name}={value}" for name, value in task["environment"].items()]
            lines.append(f"     task:      {' '.join([*words, 'rails', task['name']])}, at most {options['seconds']} s")
        lines += [f"     by hand:   {text}" for text in hop.by_hand]
        lines.append(f"     then:      wait until nothing is left in {', '.join(options['queues'])}")
    if options["closed"]:
        lines.append("Meanwhile the API is closed: it answers 503 with Retry-After.")
    else:
        lines.append("Meanwhile the API takes events, but for the moment of each restart (503 with Retry-After).")
    return "\n".join(lines)


def began(record: t.Mapping | None, present: str, wanted: str, images: t.Mapping, when: int) -> dict[str, t.Any]:
    """The record of an upgrade: a new one, or that of a run that died and now goes on."""
    if record and record.get("state") == "running":
        return {**record, "to": wanted}
    return {
        "state": "running", "from": present, "to": wanted, "began": when, "images": dict(images),
        "backup": {}, "closed": False, "hop": "", "done": [],
    }  # fmt: skip


def unfinished(record: t.Mapping | None) -> str:
    """The release to which a run was on its way that died or failed."""
    return record.get("hop", "") if record and record.get("state") == "running" else ""


def leftovers(indexes: t.Sequence[str], command: t.Sequence[str]) -> list[str]:
    """One line for each index that a migration began and did not finish, with what removes it."""
    return [f"the index {name} is invalid: {' '.join(command)} 'DROP INDEX CONCURRENTLY {name}'" for name in indexes]


def failed(
    host: str, version: str, present: str, failure: t.Mapping, record: t.Mapping, indexes: t.Sequence[str]
) -> str:
    """What a user reads when a release did not come up."""
    lines = [f"{host}: {failure.get('msg', 'it failed')}", ""]
    if failure.get("past_gate"):
        if failure["phase"] == "leftovers":
            lines.append(f"The database has been migrated for {version}, which runs.")
            lines.append("Workers that it has no more are not done with their jobs.")
        else:
            lines.append(f"The database has been migrated for {version}, whose containers do not get ready.")
        lines.append("Nothing was put back.")
        lines.append(f"Correct what is said above and type: just upgrade -l {host}")
        if record["backup"]:
            backup = record["backup"]["snapshot"][:8]
            lines.append(f"Or go back to {record['from']} and backup {backup}: just rollback -l {host}")
    else:
        lines.append(f"{present} goes on serving, on the database as it is now. Nothing was put back.")
        if failure.get("phase") == "gate":
            lines.append("What the migration had finished before it failed stays in the database.")
        lines += [f"Left behind: {line}" for line in indexes]
        lines.append(f"Correct what is said above and type: just upgrade -l {host}. It goes on with {version}.")
    return "\n".join(lines)


def way_back(record: t.Mapping | None) -> t.Mapping:
    """The record of the upgrade that can be undone."""
    if not record or record["state"] == "rolled back":
        raise UpgradeError(
            "No upgrade is recorded on this server that could be undone. just backups lists all backups; "
            "just restore NAME puts one in place."
        )
    if not record["backup"]:
        raise UpgradeError(
            f"The upgrade from {record['from']} was made without a backup, so there is no way back. "
            "just backups lists others; just restore NAME puts one in place, or says what one of an older Lago needs."
        )
    return record


def announced(record: t.Mapping, present: str) -> list[str]:
    """What the way back does, or what is left of it, for people."""
    if record["state"] == SENDING_AGAIN:
        return [
            f"An earlier run brought Lago back to {record['from']}, which serves. What is left: events that were kept "
            "are sent again, with the same transaction ids, so that none counts twice."
        ]
    if record["state"] == PUT_BACK:
        return [
            f"An earlier run put database, queues and files of before back. What is left: Lago {record['from']} is "
            "started, and events that were kept are sent again, with the same transaction ids."
        ]
    made = time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(record["backup"]["backup_time"]))
    queue = record["backup"].get("queue_elsewhere")
    what = "Database and missing files" if queue else "Database, queues and missing files"
    jobs = (
        f"Jobs in {queue} stay as they are: what the newer release queued may not fit."
        if queue
        else "Jobs and their locks in Valkey are those of the backup: what waits now belongs to the newer database."
    )
    return [
        f"Lago goes back from {present} to {record['from']}, as it was before the upgrade to {record['to']}.",
        f"{what} come from backup {record['backup']['snapshot'][:8]} of {made}. "
        "The database of now is kept under another name.",
        jobs,
        "Events that came since are kept before and sent again afterwards, with the same transaction ids.",
        f"Images are those of {record['from']}. Environment and units of Lago come from that backup as well: what your "
        "vars.yml says otherwise by now counts again from the next just install-all on.",
        "Lago is stopped meanwhile: clients are answered 503 with Retry-After.",
    ]


def consented(found: t.Mapping, closed: bool, given: str | None) -> bool:
    """Whether it may go on: nothing came in since the backup, or somebody has said that so many rows may go."""
    if closed or not found["rows"]:
        return True
    return str(given or "").isdigit() and int(str(given)) >= found["rows"]
