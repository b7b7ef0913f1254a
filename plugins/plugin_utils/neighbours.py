# SPDX-FileCopyrightText: 2026 The selfhosting.lago authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Inventory hosts that are one server: what each owns, who waits for whom, and what two of them cannot both own."""

from __future__ import annotations

import itertools
import typing as t

# What a host owns, as it is called in messages.
OWNED = ("units", "networks", "paths", "ports")


def claims_of(products: t.Iterable[t.Any]) -> dict[str, list[str]]:
    """What the enabled products of a host own on the server, and what of others they use."""
    claims: dict[str, set[str]] = {name: set() for name in (*OWNED, "uses")}
    for product in products:
        if not product.enabled:
            continue
        claims["networks"].update(network["name"] for network in product.networks())
        claims["paths"].update(directory["path"] for directory in product.directories())
        for service in product.services():
            claims["units"].add(service["name"])
            claims["ports"].update(port.rsplit(":", 1)[0] for port in service["ports"])
            claims["uses"].update(unit.removesuffix(".service") for unit in service["needs"])
            claims["uses"].update(service["networks"])
    return {name: sorted(values) for name, values in claims.items()}


def conflicts(claims: t.Mapping[str, t.Mapping]) -> list[str]:
    """One text for each pair of hosts that would own the same thing."""
    problems = []
    for first, second in itertools.combinations(sorted(claims), 2):
        both = {name: sorted(set(claims[first][name]) & set(claims[second][name])) for name in OWNED}
        shared = "; ".join(f"{name} {', '.join(values)}" for name, values in both.items() if values)
        if shared:
            problems.append(
                f"{first} and {second} are the same server and would both own: {shared}. Give one of them names of its "
                "own with mash_playbook_service_identifier_prefix and "
                "mash_playbook_service_base_directory_name_prefix, other ports, or switch the service off for it."
            )
    return problems


def waves(claims: t.Mapping[str, t.Mapping]) -> dict[str, int]:
    """Which of the hosts goes first: those that others use before those that use them, one host at a time."""
    owner = {name: host for host, claim in claims.items() for kind in ("units", "networks") for name in claim[kind]}
    before = {host: {owner[name] for name in claim["uses"] if name in owner} - {host} for host, claim in claims.items()}
    found: dict[str, int] = {}
    while len(found) < len(claims):
        ready = sorted(host for host in claims if host not in found and before[host] <= set(found))
        if not ready:
            circle = ", ".join(sorted(set(claims) - set(found)))
            raise ValueError(f"{circle} use services of each other: none can go first")
        found[ready[0]] = len(found)
    return found
