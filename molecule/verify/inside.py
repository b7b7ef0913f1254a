# SPDX-FileCopyrightText: 2026 The selfhosting.lago authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""The server as its administrator sees it."""

from __future__ import annotations

import json

UNITS = "mash-*.service"


def properties(host, unit: str, *names: str) -> dict[str, str]:
    text = host.check_output("systemctl show --property=%s %s", ",".join(names), unit)
    return dict(line.split("=", 1) for line in text.splitlines())


def installed_units(host) -> list[str]:
    """Every long-running unit of ours, running or not."""
    text = host.check_output("systemctl list-unit-files --plain --no-legend --state=enabled %s", UNITS)
    return sorted(line.split()[0] for line in text.splitlines())


def states(host) -> dict[str, str]:
    names = installed_units(host)
    text = host.run(f"systemctl is-active {' '.join(names)}").stdout
    return dict(zip(names, text.split(), strict=True))


def all_active(host) -> bool:
    found = states(host)
    return bool(found) and set(found.values()) == {"active"}


def invocations(host) -> dict[str, str]:
    """Another value: the unit was started anew."""
    text = host.check_output(f"systemctl show --property=Id,InvocationID {' '.join(installed_units(host))}")
    blocks = [dict(line.split("=", 1) for line in block.splitlines()) for block in text.split("\n\n")]
    return {block["Id"]: block["InvocationID"] for block in blocks}


def containers(host) -> dict[str, dict]:
    found = json.loads(host.check_output("docker inspect $(docker ps --quiet --filter name=^mash-)"))
    return {container["Name"].lstrip("/"): container for container in found}


def sql(host, query: str, database: str = "lago", container: str = "mash-postgres") -> str:
    return host.check_output(
        "docker exec %s psql --username=root --dbname=%s --tuples-only --no-align --command=%s",
        container,
        database,
        query,
    )


def unprocessed_events(host) -> int:
    """Those that are stored and whose job is not done: waiting, or lost."""
    return int(sql(host, "SELECT count(*) FROM events WHERE processed_at IS NULL"))


# Of a command line's words none may be longer than 128 KiB; an id has some 40 characters.
AT_ONCE = 1000


def event_rows(host, transaction_ids: list[str], database: str = "lago") -> int:
    found = 0
    for start in range(0, len(transaction_ids), AT_ONCE):
        listed = ",".join(f"'{one}'" for one in transaction_ids[start : start + AT_ONCE])
        found += int(sql(host, f"SELECT count(*) FROM events WHERE transaction_id IN ({listed})", database))
    return found


def forget_events(host, transaction_ids: list[str]) -> None:
    """What a test sent besides, so that the rest can be compared."""
    for start in range(0, len(transaction_ids), AT_ONCE):
        listed = ",".join(f"'{one}'" for one in transaction_ids[start : start + AT_ONCE])
        sql(host, f"DELETE FROM events WHERE transaction_id IN ({listed})")


def make_events(host, number: int) -> None:
    """Many rows in a moment, past the API: many-1, many-2 and so on.

    They are older than what a rollback sends again (MARGIN_SECONDS of the backup's since.py), as most events are.
    """
    sql(
        host,
        f"""
INSERT INTO events (id, organization_id, transaction_id, code, external_subscription_id, properties, timestamp,
                    created_at, updated_at)
SELECT gen_random_uuid(), (SELECT id FROM organizations LIMIT 1), 'many-' || n, 'calls', 'subscription-' || n % 100,
       jsonb_build_object('value', n), moment, moment, moment
  FROM generate_series(1, {number}) AS n, (SELECT now() - interval '15 minutes' AS moment) AS once
""",
    )
