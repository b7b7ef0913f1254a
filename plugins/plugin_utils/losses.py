# SPDX-FileCopyrightText: 2026 The selfhosting.lago authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Who loses something when services stop or go, and whose they are."""

from __future__ import annotations

import typing as t

from .neighbours import KEYS, dependents


def owned_by_others(task_vars: t.Mapping, server: t.Mapping) -> set[str]:
    """Identifiers of products that other inventory hosts of the server brought up: not this host's to remove."""
    host, inventory = task_vars["inventory_hostname"], task_vars["groups"]["all"]
    records = server["claims"].items()
    return {name for name, record in records if record["host"] != host and record["host"] in inventory}


def losses(
    products: list[t.Any], units: t.Iterable[str], operation: str, server: t.Mapping, task_vars: t.Mapping
) -> list[str]:
    """One warning where something that goes on running needs what is stopped."""
    stopped = {unit for unit in units if server["units"].get(unit, {}).get("active")}
    own = {server["units"][unit]["product"] for unit in stopped}
    networks = {
        service["networks"][0]
        for product in products
        if product.identifier in own
        for service in product.parts(KEYS)
        if f"{service['name']}.service" in stopped
    }
    # In check mode the server still shows what hosts before this one stop.
    gone = {
        unit
        for earlier in task_vars.get("selfhosting_earlier", [])
        for changes in task_vars["hostvars"][earlier].get("selfhosting_done", [])
        for unit, change in changes["units"].items()
        if change["action"] in ("stop", "remove")
    }
    gone |= {unit for unit, seen in server["units"].items() if seen["product"] in own}
    lost = {unit: what for unit, what in dependents(stopped, networks, server).items() if unit not in gone}
    if not lost:
        return []
    hosts = {f"{unit}.service": record["host"] for record in server["claims"].values() for unit in record["units"]}
    listed = "; ".join(
        f"{unit}{' of ' + hosts[unit] if unit in hosts else ''} ({', '.join(what)})" for unit, what in lost.items()
    )
    end = "they are given another one" if operation == "remove" else "it is started again"
    return [
        f"{task_vars['inventory_hostname']}: {', '.join(sorted(stopped))}: stopped while others on the server need "
        f"it. They go on running and fail until {end}: {listed}"
    ]
