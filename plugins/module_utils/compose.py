# SPDX-FileCopyrightText: 2026 The selfhosting.lago authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""The vendor's compose project on a server, as its containers say that it runs. Standard library only.

Compose has resolved its files when it made the containers, from `.env`, the shell and overriding files; so they say
what counts. `.env` is read to find what has been changed since.
"""

from __future__ import annotations

import os
import re
from urllib.parse import unquote, urlsplit

LABEL = "com.docker.compose."
ASSIGNMENT = re.compile(r"\s*(?:export\s+)?([A-Za-z_][A-Za-z0-9_.-]*)\s*[=:]\s*")
REFERENCE = re.compile(r"\$\$|\$(?:\{([A-Za-z_]\w*)(?:(:?[-+?])([^}]*))?\}|([A-Za-z_]\w*))")
ESCAPES = {"n": "\n", "r": "\r", "t": "\t", '"': '"', "\\": "\\", "$": "$$"}
SCRIPT = re.compile(r"start(?:\.([a-z_]+))??(?:\.(worker|api|clock|consumer))?\.sh$")
# What an image of the vendor's, or a copy of it under another registry, is called.
IMAGES = {"api": "backend", "lago-api": "backend", "front": "front", "lago-front": "front"}
PDF_IMAGES = ("lago-gotenberg", "gotenberg")
KEYS_PATH, STORAGE_PATH = "/app/config/keys", "/app/storage"


class ComposeError(Exception):
    """What stands in the way of reading the project."""


def parse_env(text, outer=None):
    """Names and values of an env file, quoted and interpolated as compose does it."""
    values, outer = {}, outer or {}
    position = 0
    while position < len(text):
        end = text.find("\n", position)
        end = len(text) if end < 0 else end
        found = ASSIGNMENT.match(text, position, end)
        if not found or text[position:end].lstrip().startswith("#"):
            position = end + 1
            continue
        start = found.end()
        quote = text[start : start + 1]
        closing = _closing(text, start, quote) if quote in ("'", '"') else -1
        if closing > 0:
            raw = text[start + 1 : closing]
            # What follows on the line is a comment.
            end = text.find("\n", closing)
            end = len(text) if end < 0 else end
            value = raw if quote == "'" else interpolated(_unescaped(raw), {**values, **outer})
        else:
            value = interpolated(re.split(r"\s#", text[start:end], maxsplit=1)[0].strip(), {**values, **outer})
        values[found[1]] = value
        position = end + 1
    return values


def _closing(text, start, quote):
    position = start + 1
    while position < len(text):
        if text[position] == "\\" and quote == '"':
            position += 2
            continue
        if text[position] == quote:
            return position
        position += 1
    return -1


def _unescaped(text):
    return re.sub(r"\\(.)", lambda found: ESCAPES.get(found[1], found[0]), text, flags=re.DOTALL)


def interpolated(text, values):
    """`$NAME`, `${NAME}` and `${NAME:-default}` filled in; `$$` is a dollar."""

    def replaced(found):
        if found[0] == "$$":
            return "$"
        name, operator, word = found[1] or found[4], found[2] or "", found[3] or ""
        value = values.get(name)
        there = bool(value) if operator.startswith(":") else value is not None
        if operator.endswith("+"):
            return interpolated(word, values) if there else ""
        if operator.endswith("-") and not there:
            return interpolated(word, values)
        return value or ""

    return REFERENCE.sub(replaced, text)


def pairs(entries):
    return dict(entry.split("=", 1) for entry in entries or [] if "=" in entry)


def described(container, image):
    """Of what `docker inspect` says of a container and its image, what matters here."""
    settings = container.get("NetworkSettings") or {}
    networks = settings.get("Networks") or {}
    own, given = pairs(container["Config"].get("Env")), pairs((image.get("Config") or {}).get("Env"))
    labels = container["Config"].get("Labels") or {}
    aliases = {alias for network in networks.values() for alias in network.get("Aliases") or []}
    service = labels.get(f"{LABEL}service", "")
    return {
        "service": service,
        "image": container["Config"]["Image"],
        "image_id": container["Image"],
        "image_environment": {name: value for name, value in given.items() if name.startswith("LAGO_VERSION")},
        # What the image says itself is no setting.
        "environment": {name: value for name, value in own.items() if given.get(name) != value},
        "command": " ".join([container.get("Path") or "", *(container.get("Args") or [])]),
        "running": bool(container["State"]["Running"]),
        "policy": (container["HostConfig"].get("RestartPolicy") or {}).get("Name") or "no",
        "names": sorted({service, container["Name"].lstrip("/"), *aliases} - {""}),
        "addresses": sorted(network["IPAddress"] for network in networks.values() if network.get("IPAddress")),
        "mounts": {
            mount["Destination"].rstrip("/"): mount.get("Source", "") for mount in container.get("Mounts") or []
        },
        "volumes": sorted(mount["Name"] for mount in container.get("Mounts") or [] if mount.get("Type") == "volume"),
        "oneoff": labels.get(f"{LABEL}oneoff", "").lower() == "true",
    }


def process_of(container):
    """What a container is in Lago: api, worker, clock, migrate, consumer, front, pdf; "" where it is none of it."""
    image = container["image"].partition("@")[0].rpartition("/")[2].partition(":")[0]
    if image in PDF_IMAGES:
        return "pdf"
    kind = IMAGES.get(image, "")
    if kind != "backend":
        return kind
    for word in container["command"].split():
        script = os.path.basename(word)
        if script == "migrate.sh":
            return "migrate"
        found = SCRIPT.match(script)
        if found:
            return found[2] or (found[1] if found[1] in ("worker", "api", "clock", "consumer") else "api")
    return "api"


def endpoint(url):
    """User, password, host, port and path of a URL, decoded."""
    parts = urlsplit(url)
    return {
        "username": unquote(parts.username or ""),
        "password": unquote(parts.password or ""),
        "hostname": parts.hostname or "",
        "port": parts.port,
        "path": unquote(parts.path.lstrip("/")),
    }


def server_of(containers, hostname):
    """The container of the project that a host name stands for; "" for none."""
    return next((name for name, one in sorted(containers.items()) if hostname and hostname in one["names"]), "")


def processes(containers):
    """Process to names of containers, each only once; "postgres" and "redis" are what the API connects to."""
    found = {}
    for name, container in sorted(containers.items()):
        if not container["oneoff"] and process_of(container):
            found.setdefault(process_of(container), []).append(name)
    if found.get("api"):
        environment = containers[found["api"][0]]["environment"]
        for process, variable in (("postgres", "DATABASE_URL"), ("redis", "REDIS_URL")):
            name = server_of(containers, endpoint(environment.get(variable, ""))["hostname"])
            if name:
                found[process] = [name]
    return found


def of_project(listed, directory):
    """Ids of the containers that compose made of a directory's files, and the names of their projects."""
    ids, projects = [], set()
    for container in listed:
        labels = container.get("Labels") or {}
        if os.path.realpath(labels.get(f"{LABEL}project.working_dir") or "/nonexistent") == directory:
            ids.append(container["Id"])
            projects.add(labels.get(f"{LABEL}project", ""))
    return ids, sorted(projects)
