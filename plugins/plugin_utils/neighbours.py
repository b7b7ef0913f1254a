# SPDX-FileCopyrightText: 2026 The selfhosting.lago authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Inventory hosts that are one server: what each owns, who waits for whom, and what two of them cannot both own.

Hosts that are part of a run are compared as their variables are now. Of others the server itself tells: each product
leaves a record of what it owns beside the engine's other files.
"""

from __future__ import annotations

import json
import re
import typing as t

from .definition import SERVICE

# What a host owns, as it is called in messages.
OWNED = ("units", "networks", "paths", "ports")
# Keys of a container that say what it owns and uses: a small part of the work of resolving all.
KEYS = {key: SERVICE[key] for key in ("name", "kind", "replicas", "networks", "ports", "needs")}
# Docker publishes on all addresses where none is given.
EVERY_ADDRESS = ("", "0.0.0.0", "[::]")
ONLY_ONE_TRAEFIK = (
    "A server has one Traefik for all: for the other host, set mash_playbook_reverse_proxy_type: "
    "other-traefik-container, and mash_playbook_reverse_proxyable_services_additional_network to the first's network."
)
OTHER_NAMES = (
    "Give one of them names of its own with mash_playbook_service_identifier_prefix and "
    "mash_playbook_service_base_directory_name_prefix, other ports, or switch the service off for it."
)


def claim_of(product: t.Any, services: list[dict] | None = None) -> dict[str, t.Any]:
    """What one product owns on the server, and what of others it uses; `services` where they are resolved already."""
    services = product.parts(KEYS) if services is None else services
    return {
        "product": product.name,
        "units": sorted(service["name"] for service in services),
        "networks": sorted(network["name"] for network in product.networks()),
        "paths": sorted(directory["path"] for directory in product.directories()),
        "ports": sorted({published(port) for service in services for port in service["ports"]}),
        "uses": sorted(
            {unit.removesuffix(".service") for service in services for unit in service["needs"]}
            | {network for service in services for network in service["networks"]}
        ),
        "containers": {service["name"]: service["networks"] for service in services},
    }


def claims_of(products: t.Iterable[t.Any]) -> dict[str, t.Any]:
    """The same of all enabled products of a host together."""
    claims = {product.identifier: claim_of(product) for product in products if product.enabled}
    return {"products": {identifier: claim["product"] for identifier, claim in claims.items()}, **_united(claims)}


def _united(claims: t.Mapping[str, t.Mapping]) -> dict[str, t.Any]:
    lists = (*OWNED, "uses")
    return {
        **{kind: sorted({name for claim in claims.values() for name in claim.get(kind, [])}) for kind in lists},
        "containers": {name: networks for claim in claims.values() for name, networks in claim["containers"].items()},
    }


def named_networks(product: t.Any) -> dict[str, str]:
    """Network to the variable in which the user names it."""
    proxy = "mash_playbook_reverse_proxyable_services_additional_network"
    named = {product.variable(proxy): proxy}
    for prefix in product.prefixes("container"):
        variable = f"{prefix}_container_additional_networks_custom"
        named.update(dict.fromkeys(product.variable(variable), variable))
    return named


def connections_of(product: t.Any) -> list[dict]:
    """Which names its containers connect to, and through which networks."""
    return [
        {
            "variable": variable,
            "name": product.variable(variable),
            "networks": entry["networks"],
            "networks_variable": entry["networks_variable"],
            # Names that the user gives to the containers.
            "hosts": re.findall(r"--add-host[= ]+([^\s:=]+)", " ".join(entry["arguments"])),
        }
        for entry in product.value("connects", [])
        for variable in entry["variables"]
    ]


def published(port: str) -> str:
    """Address, port and protocol of Docker's [[ADDRESS:]PORT:]PORT[/PROTOCOL], without the port in the container."""
    outside, _colon, inside = port.rpartition(":")
    return f"{outside or inside.partition('/')[0]}/{inside.partition('/')[2] or 'tcp'}"


def _same_port(first: str, second: str) -> bool:
    (one, first_protocol), (two, second_protocol) = first.rsplit("/", 1), second.rsplit("/", 1)
    (one, first_number), (two, second_number) = one.rpartition(":")[::2], two.rpartition(":")[::2]
    same_address = one == two or one in EVERY_ADDRESS or two in EVERY_ADDRESS
    return same_address and (first_number, first_protocol) == (second_number, second_protocol)


def _both(kind: str, first: t.Mapping, second: t.Mapping) -> list[str]:
    if kind != "ports":
        return sorted(set(first[kind]) & set(second[kind]))
    return sorted(one for one in first[kind] if any(_same_port(one, two) for two in second[kind]))


def record_of(host: str, claim: t.Mapping) -> str:
    """The text of a product's record on the server."""
    return json.dumps({"host": host, **{key: claim[key] for key in ("product", *OWNED)}}, indent=2, sort_keys=True)


def recorded(
    server: t.Mapping, run: t.Container[str], inventory: t.Container[str], identifiers: t.Container[str]
) -> dict[str, dict]:
    """What hosts that are not part of this run own on the server: host to claims.

    A record without a unit on the server tells of the past; one of a host that the inventory no longer has is this
    host's own under an earlier name, where it is of one of its products.
    """
    found: dict[str, dict[str, t.Mapping]] = {}
    for identifier, record in server["claims"].items():
        host = record["host"]
        installed = any(f"{unit}.service" in server["units"] for unit in record["units"])
        renamed = host not in inventory and identifier in identifiers
        if installed and not renamed and host not in run:
            found.setdefault(host, {})[identifier] = {**record, "containers": {}}
    return {
        host: {"products": {name: record["product"] for name, record in claims.items()}, **_united(claims)}
        for host, claims in found.items()
    }


def conflict(first: str, second: str, claims: t.Mapping[str, t.Mapping]) -> str:
    """Why the two hosts cannot be one server; empty where they can."""
    one, two = claims[first], claims[second]
    both = {kind: _both(kind, one, two) for kind in OWNED}
    shared = "; ".join(f"{kind} {', '.join(values)}" for kind, values in both.items() if values)
    traefiks = [
        next((name for name, product in claim.get("products", {}).items() if product == "traefik"), "")
        for claim in (one, two)
    ]
    if shared:
        remedy = ONLY_ONE_TRAEFIK if all(traefiks) and not both["units"] else OTHER_NAMES
        return f"{first} and {second} are the same server and would both own: {shared}. {remedy}"
    if all(traefiks):
        names = ", ".join(traefiks)
        return f"{first} and {second} are the same server and would both run Traefik: {names}. {ONLY_ONE_TRAEFIK}"
    return ""


def conflicts(host: str, claims: t.Mapping[str, t.Mapping], elsewhere: t.Mapping[str, t.Mapping]) -> list[str]:
    """Of each pair of hosts one text, told by the first host of the pair; hosts elsewhere are not part of the run."""
    found = [text for other in sorted(claims) if other > host and (text := conflict(host, other, claims))]
    for other in sorted(elsewhere):
        text = conflict(host, other, {host: claims[host], other: elsewhere[other]})
        if text:
            found.append(f"{text} (So {other} was brought up last; run both together if it is no longer so.)")
    return found


def missing_networks(claims: t.Mapping, named: t.Mapping[str, str], known: t.Container[str], host: str) -> list[str]:
    """One text for each network that a container joins and that nobody makes."""
    return [
        f"{named.get(network) or 'A container of ' + host} names the network {network!r}. It does not exist on the "
        "server, and no inventory host of this server that is part of the run makes it. Correct the name, run both "
        f"hosts together, or make it: docker network create {network}"
        for network in sorted({network for networks in claims["containers"].values() for network in networks})
        if network not in known
    ]


def unanswered(connections: t.Iterable[t.Mapping], containers: t.Mapping[str, t.Iterable[str]]) -> list[str]:
    """One text for each name that a container connects to and that no container it can reach has.

    A name with a dot and an address are somewhere else, where only a connection could tell.
    """
    problems, told = [], set()
    for connection in connections:
        name, networks = connection["name"], connection["networks"]
        if not name or "." in name or ":" in name or name in connection["hosts"] or name in told:
            continue
        told.add(name)
        said = f"{connection['variable']} is {name!r}."
        if name not in containers:
            problems.append(
                f"{said} No container on the server has this name, and no inventory host of this server that is part "
                "of the run installs one. Install it first or together with this host, or name what is there."
            )
        elif not set(containers[name]) & set(networks):
            problems.append(
                f"{said} This container is in none of the networks {', '.join(sorted(set(networks)))}: add "
                f"{' or '.join(sorted(containers[name])) or 'its network'} to {connection['networks_variable']}."
            )
    return problems


def needed(claims: t.Mapping[str, t.Mapping]) -> dict[str, set[str]]:
    """For each host those whose units or networks it uses."""
    owner = {name: host for host, claim in claims.items() for kind in ("units", "networks") for name in claim[kind]}
    return {host: {owner[name] for name in claim["uses"] if name in owner} - {host} for host, claim in claims.items()}


def waves(claims: t.Mapping[str, t.Mapping]) -> list[str]:
    """The hosts one after the other: those that others use before those that use them."""
    before = needed(claims)
    found: list[str] = []
    while len(found) < len(claims):
        ready = sorted(host for host in claims if host not in found and before[host] <= set(found))
        if not ready:
            circle = ", ".join(sorted(set(claims) - set(found)))
            raise ValueError(f"{circle} use services of each other: none can go first")
        found.append(ready[0])
    return found


def dependents(stopped: t.Container[str], networks: t.Container[str], server: t.Mapping) -> dict[str, list[str]]:
    """What runs on the server and loses something when these units stop: it, and what it loses.

    That is who names one of the units, and which container is in one of their networks.
    """
    found: dict[str, set[str]] = {}
    for unit in (name for name in server["units"] if name in stopped):
        for other in server["units"][unit].get("needed_by", []):
            found.setdefault(other, set()).add(unit)
    for name, container in server["containers"].items():
        for network in container["networks"]:
            if container["running"] and network in networks:
                found.setdefault(f"{name}.service", set()).add(f"network {network}")
    return {other: sorted(lost) for other, lost in sorted(found.items()) if other not in stopped}
