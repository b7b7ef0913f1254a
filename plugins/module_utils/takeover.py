# SPDX-FileCopyrightText: 2026 The selfhosting.lago authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""What a server has that this collection did not write, and which Lago: units, containers, databases.

Standard library only.
"""

from __future__ import annotations

import json
import os
import re

from .engine import PRODUCT_SECTION, UNIT_DIRECTORY, keyed_digest, run, show_units

RELEASE = re.compile(r"^v?\d+\.\d+\.\d+(?:-[0-9A-Za-z.-]+)?$")
# Where a unit of MASH's names the image of its container.
IMAGE_OF_UNIT = re.compile(r"^\s*(\S+/\S+:[\w.-]+)\s*(?:\\)?$", re.MULTILINE)
USES = re.compile(r"(?:--network[= ]|network connect )(\S+)|^(?:After|Requires|Wants)=(.+)$", re.MULTILINE)
DATABASES = (
    "SELECT json_object_agg(datname, json_build_array(datcollate, datctype)) FROM pg_database WHERE datallowconn"
)


def foreign_units(identifier):
    """Units of the playbook's naming without our section: image, what it uses, and whether it runs."""
    found = {}
    names = sorted(os.listdir(UNIT_DIRECTORY)) if os.path.isdir(UNIT_DIRECTORY) else []
    for name in names:
        if not name.startswith(f"{identifier}-") or not name.endswith((".service", ".timer")):
            continue
        try:
            with open(os.path.join(UNIT_DIRECTORY, name), encoding="utf-8", errors="replace") as file:
                text = file.read()
        except OSError:
            continue
        if PRODUCT_SECTION not in text:
            image = IMAGE_OF_UNIT.search(text)
            uses = {word for match in USES.findall(text) for part in match for word in part.split()}
            found[name] = {"image": image[1] if image else "", "uses": sorted(uses - {"docker.service"})}
    for name, properties in show_units(sorted(found)).items():
        found[name]["active"] = properties.get("ActiveState") == "active"
    return found


def running_containers(docker):
    """Name to image and networks, of what runs."""
    found = {}
    for container in docker.get("/containers/json") or []:
        networks = sorted((container.get("NetworkSettings") or {}).get("Networks") or {})
        for name in container["Names"]:
            found[name.lstrip("/")] = {"image": container["Image"], "networks": networks}
    return found


def query(container, user, database, statement):
    """One value from a database in a running container; None where it cannot be asked."""
    command = ["docker", "exec", container, "psql", "--no-psqlrc", "--tuples-only", "--no-align"]
    done = run([*command, f"--username={user}", f"--dbname={database}", f"--command={statement}"], check=False)
    return done.stdout.strip() if done.returncode == 0 else None


def databases(container, user):
    """Name to collation and character type, of all databases; None where Postgres cannot be asked."""
    answer = query(container, user, "postgres", DATABASES)
    return json.loads(answer) if answer else None


def schema(container, user, database, landmarks):
    """Those of the migrations that the database has."""
    listed = ", ".join(f"'{version}'" for version in landmarks if version.isdigit())
    if not listed:
        return []
    statement = f"SELECT version FROM schema_migrations WHERE version IN ({listed}) ORDER BY version"
    return (query(container, user, database, statement) or "").split()


def environment_of(path):
    values = {}
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            for line in file.read().splitlines():
                name, equals, value = line.partition("=")
                if equals and not line.startswith("#"):
                    values[name] = value
    except OSError:
        pass
    return values


def database_target(url):
    """Who connects to which database: a DATABASE_URL without password and options. Empty where it is none."""
    match = re.match(r"^\w+://([^:@/]*)(?::.*)?@([^@/?]*)(/[^?]*)", url)
    return f"{match[1]}@{match[2]}{match[3]}" if match else ""


def database_of(path, key):
    """What the processes that read an environment file connect to, and a digest of the password with it."""
    url = environment_of(path).get("DATABASE_URL", "")
    return {"target": database_target(url), "url": keyed_digest(key, url.encode()) if url else ""}


def environment_digests(path, key):
    return {name: keyed_digest(key, value.encode()) for name, value in environment_of(path).items()}


def entry_points(path):
    """Names of Traefik's entry points, from the indentation of its configuration file."""
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            lines = [line for line in file.read().splitlines() if line.strip() and not line.lstrip().startswith("#")]
    except OSError:
        return []
    found, outer, inner = [], None, None
    for line in lines:
        indent = len(line) - len(line.lstrip())
        if outer is None:
            if line.strip().lower() == "entrypoints:":
                outer = indent
            continue
        if indent <= outer:
            break
        inner = indent if inner is None else inner
        if indent == inner:
            found.append(line.strip().partition(":")[0].strip("'\""))
    return sorted(found)


def release_of(reference):
    """The release that an image reference names; empty where its tag is none."""
    tag = reference.partition("@")[0].rpartition("/")[2].partition(":")[2]
    return tag if RELEASE.match(tag) else ""


def release_in(environment):
    """The release that an image says in its environment, for one whose tag does not."""
    values = dict(entry.split("=", 1) for entry in environment if "=" in entry)
    return release_of(f"image:{values.get('LAGO_VERSION', '')}")


def release_number(tag):
    return tuple(int(part) for part in tag.lstrip("v").partition("-")[0].split("."))


def newest(*releases):
    return max(filter(None, releases), key=release_number, default="")


def foreign(parameters, docker, running):
    """What this collection did not write. Of a server without such units nothing else is asked."""
    units = foreign_units(parameters["identifier"])
    found = {"units": units, "containers": {}, "databases": None, "entry_points": []}
    if units and running:
        postgres = parameters["postgres"]
        found["containers"] = running_containers(docker)
        found["entry_points"] = entry_points(parameters["traefik_config_path"] or "")
        if f"{postgres['container']}.service" in units and postgres["container"] in found["containers"]:
            found["databases"] = databases(postgres["container"], postgres["user"])
    return found


def lago(parameters, docker, running, units, stranger, recorded):
    """Which release of Lago is there: what its unit or container names, or the migration that ran last."""
    names = parameters["lago"]
    if not names.get("api"):
        nowhere = {"target": "", "url": ""}
        return {"version": "", "schema": [], "environment": {}, "has_users": None, "database": nowhere}
    unit = f"{names['api']}.service"
    container = stranger["containers"].get(names["api"], {})
    image = (
        units.get(unit, {}).get("image") or container.get("image") or stranger["units"].get(unit, {}).get("image", "")
    )
    present = release_of(image)
    if container and not present:
        present = release_in((docker.container(names["api"]) or {}).get("Config", {}).get("Env") or [])
    migrated = release_of(recorded.get(names["migrate"], {}).get("image", ""))
    migrations = []
    if stranger["databases"] and names["database"] in stranger["databases"]:
        postgres = parameters["postgres"]
        migrations = schema(postgres["container"], postgres["user"], names["database"], names["landmarks"])
    environment = {}
    if names["keys"] not in recorded:
        environment = environment_digests(names["environment_path"], parameters["digest_key"])
    return {
        "version": newest(present, migrated),
        "schema": migrations,
        "environment": environment,
        "database": database_of(names["environment_path"], parameters["digest_key"]),
        "has_users": has_users(parameters, docker) if running and names["ask_for_users"] else None,
    }


def has_users(parameters, docker):
    """Whether anybody can log in to Lago; None where its database is elsewhere, not up or not there yet."""
    postgres = parameters["postgres"]
    if docker.containers().get(postgres["container"], {}).get("state") != "running":
        return None
    statement = "SELECT EXISTS (SELECT FROM users)"
    answer = query(postgres["container"], postgres["user"], parameters["lago"]["database"], statement)
    return {"t": True, "f": False}.get(answer)
