# SPDX-FileCopyrightText: 2026 The selfhosting.lago authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""What a run would take from another playbook that others on the server use too, and the two ways to go on."""

from __future__ import annotations

import dataclasses
import typing as t

# Products that other services of MASH may share, with the network at which those meet them.
SHARED = {
    "traefik": "traefik_container_network",
    "postgres": "postgres_container_network",
    "valkey": "valkey_container_network",
}
# What every Traefik of MASH's and of ours has.
ENTRY_POINTS = {"web", "web-secure", "health", "unavailable", "metrics", "traefik"}
TEMPLATES = {"postgres", "template0", "template1"}
# Orders of text that do not depend on the C library, which differs between Alpine and Debian.
PORTABLE = {"C", "POSIX"}


@dataclasses.dataclass
class Part:
    """A shared service of MASH's that this run would take over, and what else on the server uses it."""

    product: t.Any
    identifier: str
    network: str
    users: list[str]


def names_of(products: t.Iterable[t.Any]) -> set[str]:
    """Units and containers of the products, enabled or not."""
    return {service["name"] for product in products for service in product.names()}


def shared_parts(products: t.Iterable[t.Any], foreign: t.Mapping, claimed: t.Container[str]) -> list[Part]:
    """The parts that would be taken over; `claimed` are units of the inventory's other hosts on the same server."""
    products = list(products)
    own = names_of(products)
    strangers = {
        "units": {
            unit.rpartition(".")[0]: seen["uses"]
            for unit, seen in foreign["units"].items()
            if unit.rpartition(".")[0] not in own and unit.rpartition(".")[0] not in claimed
        },
        "containers": {
            name: seen["networks"]
            for name, seen in foreign["containers"].items()
            if name not in own and name not in claimed
        },
    }
    parts = []
    for product in products:
        if product.name not in SHARED or not product.enabled:
            continue
        identifier = product.identifier
        if f"{identifier}.service" not in foreign["units"]:
            continue
        network = product.variable(SHARED[product.name])
        users = {
            name
            for seen in strangers.values()
            for name, uses in seen.items()
            if {network, identifier, f"{identifier}.service"} & set(uses)
        }
        parts.append(Part(product, identifier, network, sorted(users) + _also(product, foreign)))
    return parts


def sharing_problems(products: t.Mapping[str, t.Any], foreign: t.Mapping, claimed: t.Container[str]) -> list[str]:
    """Why MASH's shared services cannot simply be taken over."""
    parts = shared_parts(products.values(), foreign, claimed)
    problems = [refusal_of_alpine_data(part, foreign) for part in parts if part.product.name == "postgres"]
    decided = products["lago"].evaluate("mash_playbook_takeover_shared_services | bool")
    if any(part.users for part in parts) and not decided:
        problems.append(offer(parts, products["lago"]))
    return [problem for problem in problems if problem]


def password_warnings(lago: t.Any) -> list[str]:
    """Where Lago runs with another database password than that of vars.yml, and nobody here tells Postgres."""
    if lago.evaluate("lago_database_managed or not lago_database_password_changes"):
        return []
    path = lago.variable("lago_api_environment_path")
    command = f"sed -n \"s/^DATABASE_URL=[^:]*:[^:]*:\\(.*\\)@.*/lago_database_password: '\\1'/p\" {path}"
    return [
        "lago_database_password is another one than Lago has on the server, and its Postgres is not one that this run "
        "changes: the migration fails unless that has the new one already. To keep the one of the server put it into "
        f"vars.yml:\n    # on the server this prints the line: {command}"
    ]


def _also(product: t.Any, foreign: t.Mapping) -> list[str]:
    """Databases and entry points that nothing of ours needs."""
    if product.name == "postgres":
        ours = {database["name"] for database in product.variable("postgres_managed_databases")}
        others = sorted(set(foreign["databases"] or {}) - ours - TEMPLATES - {product.variable("postgres_db_name")})
        return [f"database {name}" for name in others]
    if product.name == "traefik":
        return [f"entry point {name}" for name in foreign["entry_points"] if name not in ENTRY_POINTS]
    return []


def lines_for_lago_only(parts: t.Iterable[Part], lago: t.Any) -> list[str]:
    """What vars.yml has to say for Lago to use what MASH runs."""
    lines, networks, units = [], [], []
    for part in parts:
        if part.product.name == "traefik":
            lines += [
                "mash_playbook_reverse_proxy_type: other-traefik-container",
                "traefik_enabled: false",
                f"mash_playbook_reverse_proxyable_services_additional_network: {part.network}",
            ]
            continue
        networks.append(part.network)
        units.append(f"{part.identifier}.service")
        lines.append(f"{part.product.name}_enabled: false")
        if part.product.name == "postgres":
            lines.append(f"lago_database_hostname: {part.identifier}")
        else:
            lines.append(f"lago_redis_hostname: {part.identifier}")
            if part.product.variable("valkey_connection_password"):
                lines.append('lago_redis_password: "{{ valkey_connection_password }}"')
    if not lago.enabled:
        return [line for line in lines if not line.startswith("lago_")]
    for name, added in (
        ("lago_api_container_additional_networks_custom", networks),
        ("lago_api_systemd_required_services_list_custom", units),
    ):
        if added:
            values = list(dict.fromkeys([*map(str, lago.variable(name)), *added]))
            lines.append(f"{name}: [{', '.join(values)}]")
    return lines


def offer(parts: t.Sequence[Part], lago: t.Any) -> str:
    """Both ways, as lines to be put into vars.yml."""
    served = [f"  {part.identifier}: {', '.join(part.users) or 'nothing else'}" for part in parts]
    return "\n".join(
        [
            "MASH's services here are used by others, which this project does not carry:",
            *served,
            "Put one of these at the end of vars.yml (remove lines of the same names above it).",
            "Lago only; MASH goes on running what is shared:",
            *(f"    {line}" for line in lines_for_lago_only(parts, lago)),
            "Or this project runs the shared services from now on, for the others too; do not run MASH for them again:",
            "    mash_playbook_takeover_shared_services: true",
        ]
    )


def refusal_of_alpine_data(part: Part, foreign: t.Mapping) -> str:
    """Why the data of MASH's Alpine image must not move to a Debian image; empty where it may."""
    live = foreign["containers"].get(part.identifier, {}).get("image") or foreign["units"][
        f"{part.identifier}.service"
    ].get("image", "")
    wanted = part.product.variable("postgres_container_image_to_use")
    if "alpine" not in live or "alpine" in wanted:
        return ""
    if foreign["databases"] is None:
        return (
            f"{part.identifier} cannot be asked how its databases sort, which decides whether they can move from "
            f"{live} to a Debian image. Start it first: systemctl start {part.identifier}"
        )
    odd = sorted(name for name, how in foreign["databases"].items() if not set(how) <= PORTABLE)
    if not odd:
        return ""
    listed = ", ".join(f"{name} ({'/'.join(dict.fromkeys(foreign['databases'][name]))})" for name in odd)
    return (
        f"{part.identifier}: the databases {listed} sort text by rules of the C library in {live}; a Debian image has "
        "others, and indexes would silently be wrong. Keep the image with this line in vars.yml, or dump and restore "
        f"them into databases with the collation C first:\n    postgres_container_image_to_use: {live}"
    )
