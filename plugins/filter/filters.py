# SPDX-FileCopyrightText: 2026 The selfhosting.lago authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Filters of the products' data."""

from __future__ import annotations

import json
import re
import typing as t

from ansible.errors import AnsibleFilterError
from ansible.module_utils.parsing.convert_bool import boolean
from ansible_collections.selfhosting.lago.plugins.module_utils.engine import keyed_digest
from ansible_collections.selfhosting.lago.plugins.module_utils.takeover import database_target
from ansible_collections.selfhosting.lago.plugins.plugin_utils import workers
from ansible_collections.selfhosting.lago.plugins.plugin_utils.definition import DefinitionError
from ansible_collections.selfhosting.lago.plugins.plugin_utils.keys import fingerprints, older_secret
from ansible_collections.selfhosting.lago.plugins.plugin_utils.render import environment_lines
from ansible_collections.selfhosting.lago.plugins.plugin_utils.text import (
    htpasswd,
    percent_encode,
    redis_url,
    sql_identifier,
    sql_literal,
)
from ansible_collections.selfhosting.lago.plugins.plugin_utils.versions import lago_version, stops_between


def _path_rule(entry: t.Mapping, prefix: str) -> str:
    matcher = {"prefix": "PathPrefix", "exact": "Path"}[entry["match"]]
    rule = f"{matcher}(`{prefix}{entry['path']}`)"
    if entry.get("methods"):
        methods = " || ".join(f"Method(`{method}`)" for method in entry["methods"])
        rule = f"({rule} && ({methods}))"
    return rule


def traefik_path_rule(paths: t.Iterable[t.Mapping], prefix: str = "") -> str:
    """A Traefik rule that matches any of the paths: path, match (prefix or exact), methods (any where absent)."""
    rules = [_path_rule(entry, prefix) for entry in paths]
    if not rules:
        raise AnsibleFilterError("traefik_path_rule: a rule needs at least one path")
    return "(" + " || ".join(rules) + ")"


def traefik_headers(request: t.Mapping, response: t.Mapping) -> dict[str, str]:
    """Options of a headers middleware; a header without a value is left out."""
    options = {f"headers.customRequestHeaders.{name}": value for name, value in request.items() if value}
    options.update({f"headers.customResponseHeaders.{name}": value for name, value in response.items() if value})
    return options


def image_name(reference: str) -> str:
    """An image without its registry, digest and the namespace of official images: the same at each mirror."""
    first, slash, rest = reference.partition("@")[0].partition("/")
    name = rest if slash and (set(".:") & set(first) or first == "localhost") else first + slash + rest
    return name.removeprefix("library/")


def with_digest(reference: str, digests: t.Mapping[str, str]) -> str:
    """An image with its digest where that is known."""
    known = {image_name(name): digest for name, digest in digests.items()}
    digest = known.get(image_name(reference))
    return f"{reference}@{digest}" if digest and "@" not in reference else reference


def other_password(url: str, live: t.Mapping, key: str) -> bool:
    """Whether what runs connects to the same database as the same user, with another password."""
    return live["target"] == database_target(url) != "" and live["url"] != keyed_digest(key, url.encode())


def memory_kb_as_mb(value: t.Any, numerator: int, denominator: int, most_mb: int = 0) -> int:
    """A share of an amount in kB, in whole MB; at least 1 and at most `most_mb` where that is given."""
    megabytes = max(1, int(value) * numerator // denominator // 1024)
    return min(megabytes, most_mb) if most_mb else megabytes


def gate_command(table: t.Iterable[t.Mapping], version: str, create_organization: bool) -> list[str]:
    """The migration's command for a Lago version: the last row whose `since` is not newer."""
    rows = [row for row in table if lago_version(row["since"]) <= lago_version(version)]
    if not rows:
        raise AnsibleFilterError(f"no migration command is known for Lago {version}")
    row = rows[-1]
    return row["command"] + (row.get("create_organization", []) if create_organization else [])


def upgrade_stops(stops: t.Iterable[t.Mapping], present: str, wanted: str) -> list[str]:
    """Each stop between two releases as a line for people."""
    return [f"{stop['at']} ({stop['task']})" for stop in stops_between(stops, present, wanted)]


def key_fingerprints(environment: t.Mapping, text: str = "") -> dict[str, str]:
    """A fingerprint of each key in an environment, the user's own lines in it."""
    try:
        return fingerprints(environment_lines(environment, text))
    except DefinitionError:
        # A line of the user's own is wrong; its own check says so.
        return fingerprints(environment)


def same_machine(hosts: t.Iterable[str], hostvars: t.Mapping, machine: str) -> list[str]:
    """Those of the hosts that the probe found to be this machine."""
    return [
        host
        for host in hosts
        if (hostvars[host].get("selfhosting_probe") or {}).get("server", {}).get("machine") == machine
    ]


def other_clocks(hosts: t.Iterable[str], hostvars: t.Mapping, me: str, database: t.Sequence) -> list[str]:
    """Other hosts whose clock enqueues jobs for the same database: host name, port and name of it as users wrote them.

    A host name without a dot is a container of its own server, so only hosts of that server can mean the same.
    """
    found = []
    for host in hosts:
        values = hostvars[host]
        if host == me or not boolean(values.get("lago_enabled", False), strict=False):
            continue
        theirs = (
            values.get("lago_database_hostname") or "",
            values.get("lago_database_port", 5432),
            values.get("lago_database_name", "lago"),
        )
        clock = boolean(values.get("lago_api_clock_enabled", True), strict=False)
        local = "." not in str(database[0])
        same_server = not local or host in same_machine([host], hostvars, _machine(hostvars[me]))
        if clock and same_server and [str(one) for one in theirs] == [str(one) for one in database]:
            found.append(host)
    return found


def _machine(values: t.Mapping) -> str:
    return (values.get("selfhosting_probe") or {}).get("server", {}).get("machine", "")


def _wave(hostvars: t.Mapping, host: str) -> int:
    return int(hostvars[host].get("selfhosting_wave", 0))


def in_waves(hosts: t.Iterable[str], hostvars: t.Mapping) -> list[str]:
    """The hosts with the earlier waves first."""
    return sorted(hosts, key=lambda host: _wave(hostvars, host))


def wave_sizes(hosts: t.Iterable[str], hostvars: t.Mapping) -> list[int]:
    """How many hosts each wave has, for a play's `serial`."""
    numbers = [_wave(hostvars, host) for host in hosts]
    return [numbers.count(number) for number in sorted(set(numbers))] or [1]


def taken_by(bind: t.Any, server: t.Mapping, own: t.Iterable[str]) -> str:
    """Who has the port already that is to be published, 443 or 443/udp; "" for nobody, or one of our own containers."""
    address, _colon, port = str(bind).rpartition(":")
    port = port if "/" in port else f"{port}/tcp"
    everywhere = {"", "0.0.0.0", "::"}
    ours = {f"container {name}" for name in own}
    ours |= {f"container {unit.removesuffix('.service')}" for unit in server["units"]}
    for seen, number, who in server["listeners"]:
        meet = address.strip("[]") in everywhere or seen in everywhere or seen == address.strip("[]")
        if number == port and meet and who not in ours:
            return who or "an unknown process"
    return ""


def since(table: t.Iterable[t.Mapping], version: str) -> t.Mapping:
    """The row for a Lago version: the last whose `since` is not newer; the first for what is no version."""
    rows = list(table)
    try:
        wanted = lago_version(version)
    except ValueError:
        return rows[0]
    return [row for row in rows if lago_version(row["since"]) <= wanted or row is rows[0]][-1]


def json_keys(text: t.Any) -> list[str]:
    """The names in the text of a JSON object; none where it is no such text."""
    try:
        value = json.loads(str(text))
    except ValueError:
        return []
    return list(value) if isinstance(value, dict) else []


def environment_faults(text: t.Any, readers: t.Iterable[t.Mapping]) -> list[str]:
    """What lines NAME=value say that Lago reads otherwise than it looks; names and no values."""
    try:
        lines = environment_lines({}, str(text))
    except DefinitionError:
        return []
    found = []
    for name, value in lines.items():
        for reader in readers:
            trapped = name in reader["names"] and re.fullmatch(reader["trap"], value, re.IGNORECASE)
            if trapped and value != reader.get("except"):
                found.append(f"{name}: {reader['say']}")
    return found


def other_than(values: t.Mapping, defaults: t.Mapping) -> dict[str, t.Any]:
    """Those of the values that are set, and not to their default. A number may stand as text on either side."""
    return {
        name: value
        for name, value in values.items()
        if value is not None and value != "" and str(value) != str(defaults[name])
    }


def container_mounts(volumes: t.Iterable[t.Mapping]) -> list[dict]:
    """MASH's additional volumes (type, src, dst, options) as mounts of an entry."""
    mounts = []
    for volume in volumes:
        words = [f"type={volume['type']}"]
        words += [f"{key}={volume[key]}" for key in ("src", "dst") if volume.get(key)]
        words += [volume["options"]] if volume.get("options") else []
        mounts.append({"raw": ",".join(words)})
    return mounts


class FilterModule:
    def filters(self) -> dict[str, t.Callable]:
        return {
            "container_mounts": container_mounts,
            "database_target": database_target,
            "environment_faults": environment_faults,
            "gate_command": gate_command,
            "htpasswd": htpasswd,
            "image_name": image_name,
            "in_waves": in_waves,
            "json_keys": json_keys,
            "key_fingerprints": key_fingerprints,
            "lago_connections": workers.connections,
            "lago_worker_contradictions": workers.contradicted,
            "lago_worker_flags": workers.flags_of,
            "lago_worker_problems": workers.problems_of,
            "lago_workers": workers.workers_of,
            "lago_workers_memory_mb": workers.memory_mb,
            "mash_older_secret": older_secret,
            "memory_kb_as_mb": memory_kb_as_mb,
            "other_clocks": other_clocks,
            "other_than": other_than,
            "other_password": other_password,
            "percent_encode": percent_encode,
            "redis_url": redis_url,
            "same_machine": same_machine,
            "since": since,
            "sql_identifier": sql_identifier,
            "sql_literal": sql_literal,
            "taken_by": taken_by,
            "traefik_headers": traefik_headers,
            "traefik_path_rule": traefik_path_rule,
            "upgrade_stops": upgrade_stops,
            "wave_sizes": wave_sizes,
            "with_digest": with_digest,
        }
