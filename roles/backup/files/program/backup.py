# SPDX-FileCopyrightText: 2026 The selfhosting.lago authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Makes one backup: a directory with all of it, then one snapshot in the repository, then the directory goes."""

from __future__ import annotations

import functools
import json
import os
import re
import shutil
import time

import manifest
from postgres import Server
from shell import Failure, Progress, run, say, sized
from valkey import Valkey, keys_in

UNIT_DIRECTORY = "/etc/systemd/system"
# Room for what is small: manifest, environment files, units, restic's own files.
SPARE_BYTES = 256 * 1024**2
# The host of a URL that is one to its end; of any other nothing is shown, it may be a password.
REDIS_HOST = re.compile(r"rediss?://(?:[^/?#@]*@)?(\[[^\]@]+\]|[^:/?#@\[\]]+)(?::\d+)?(?:/\d*)?")


def make(configuration, repository):
    """The id of the snapshot."""
    if os.path.exists(configuration["restore_path"]):
        raise Failure("A restore was interrupted, and what is there is half in place. Complete it: just restore latest")
    staging = os.path.join(configuration["data_path"], "work", "set")
    started = time.monotonic()
    clear(staging)
    os.makedirs(staging, mode=0o700)
    try:
        check_space(configuration, repository, staging)
        repository.prepare()
        content = collect(configuration, staging)
        content["files"] = manifest.checksums(staging)
        manifest.write(staging, content)
        say("Storing it")
        snapshot = repository.store(staging, (content.get("lago") or {}).get("version", ""))
    finally:
        clear(staging)
    repository.forget(configuration["keep"], needed(configuration))
    total = sum(file["bytes"] for file in content["files"].values())
    say(f"Backup {snapshot} is stored in {repository.location}: {sized(total)} in {time.monotonic() - started:.0f} s")
    if repository.directory:
        say("It is on the server itself, and goes with it: set backup_repository to a place elsewhere.")
    return snapshot


def needed(configuration):
    """The backup to which the way back from the last upgrade leads; empty where there is none."""
    try:
        with open(configuration["upgrade_path"], encoding="utf-8") as file:
            record = json.load(file)
    except FileNotFoundError:
        return ""
    # An upgrade may have been made without one.
    backup = record.get("backup") or {}
    return "" if record.get("state") == "rolled back" else backup.get("snapshot", "")


def clear(directory):
    if os.path.isdir(directory):
        shutil.rmtree(directory)


def check_space(configuration, repository, staging):
    """Before anything is written. Postgres' size holds its indexes, which are not dumped: more than is needed."""
    need = SPARE_BYTES
    if configuration["postgres"]:
        need += server_of(configuration).size()
    if configuration["valkey"]:
        need += Valkey(configuration["valkey"]).size()
    storage = configuration["storage"]
    if storage and os.stat(storage).st_dev != os.stat(staging).st_dev:
        need += size_of(storage)
    if repository.directory and not os.path.isdir(repository.directory):
        # The first one stores all of it; later ones what is new.
        need *= 2
    free = shutil.disk_usage(staging).free
    if free < need:
        raise Failure(
            f"{configuration['data_path']} has {sized(free)} free and a backup needs up to {sized(need)}. Nothing was "
            "written. Make room, or set backup_data_path to a larger file system."
        )


def size_of(directory):
    found = 0
    for root, _directories, names in os.walk(directory):
        found += sum(os.lstat(os.path.join(root, name)).st_size for name in names)
    return found


def server_of(configuration):
    return Server(configuration["postgres"]["container"], configuration["postgres"]["user"])


def collect(configuration, staging):
    """Everything into the directory; what the manifest says of it."""
    units = units_of(configuration["unit_prefix"])
    content = {
        "host": configuration["host"],
        "created": time.time(),
        "lago": configuration["lago"],
        "units": units,
        "postgres": None,
        "valkey": None,
        "storage": None,
    }
    environment = manifest.environment_of(configuration["lago"]["environment"]) if configuration["lago"] else {}
    content["keys"] = manifest.fingerprints(environment)
    # The database first: files that it knows are there when they are linked after it.
    if configuration["postgres"]:
        content["postgres"] = dump_postgres(server_of(configuration), os.path.join(staging, "postgres"))
    if configuration["storage"]:
        content["storage"] = link_storage(configuration["storage"], os.path.join(staging, "storage"))
        content["storage"]["elsewhere"] = bucket_of(environment)
        if content["storage"]["elsewhere"]:
            say(f"Lago's files are in {content['storage']['elsewhere']}, which is not part of this backup")
    content["queue_elsewhere"] = queue_elsewhere(configuration, environment)
    if content["queue_elsewhere"]:
        say(f"Queued jobs are in {content['queue_elsewhere']}, which is not part of this backup")
    if configuration["valkey"]:
        content["valkey"] = dump_valkey(Valkey(configuration["valkey"]), os.path.join(staging, "valkey"))
    for path in [*configuration["files"], *(os.path.join(UNIT_DIRECTORY, name) for name in units)]:
        copy(path, os.path.join(staging, "server"))
    return content


def bucket_of(environment):
    """Where Lago keeps its files when it is not here; it takes the exact word as yes."""
    if environment.get("LAGO_USE_AWS_S3") == "true":
        return f"the S3 bucket {environment.get('LAGO_AWS_S3_BUCKET', '')}"
    if environment.get("LAGO_USE_GCS") == "true":
        return f"the bucket {environment.get('LAGO_GCS_BUCKET', '')} of Google Cloud Storage"
    return ""


def queue_elsewhere(configuration, environment):
    """The Redis of Lago's jobs when it is not the Valkey of this host."""
    sentinels, url = environment.get("LAGO_REDIS_SIDEKIQ_SENTINELS"), environment.get("REDIS_URL")
    if sentinels:
        return f"the Redis of the sentinels {sentinels}"
    if not url:
        return ""
    found = REDIS_HOST.fullmatch(url)
    host = found[1] if found else "another Redis"
    return "" if host == configuration["valkey"].get("container") else host


def dump_postgres(server, directory):
    os.mkdir(directory)
    say("Dumping Postgres")
    server.dump_globals(os.path.join(directory, "globals.sql"))
    databases = {}
    for number, name in enumerate(server.databases(), 1):
        # Database names may hold anything; file names count.
        file = f"{number}.dump"
        databases[name] = {"file": file, **server.dump(name, os.path.join(directory, file))}
    return {"version": server.version(), "databases": databases}


def dump_valkey(valkey, directory):
    os.mkdir(directory)
    say("Copying Valkey's data")
    valkey.dump(os.path.join(directory, "dump.rdb"))
    return {"version": valkey.version(), "keys": keys_in(directory, "dump.rdb", valkey.image)}


def link_storage(storage, directory):
    """Lago writes each file once: hard links are a copy that takes no time and no room."""
    try:
        shutil.copytree(storage, directory, copy_function=os.link)
    except (OSError, shutil.Error):
        # Another file system.
        clear(directory)
        progress = Progress("Copying Lago's files", size_of(storage))
        shutil.copytree(storage, directory, copy_function=functools.partial(copied, progress))
    count = sum(len(names) for _root, _directories, names in os.walk(directory))
    return {"files": count, "bytes": size_of(directory)}


def copied(progress, source, target):
    shutil.copy2(source, target)
    progress.add(os.path.getsize(source))


def copy(path, directory):
    """A file or directory under its whole path, with owner and mode."""
    target = directory + path
    os.makedirs(os.path.dirname(target), exist_ok=True)
    if os.path.lexists(path):
        run(["cp", "--archive", path, target])


def units_of(prefix):
    """Ours by name, with the image of each and its id."""
    found = {}
    for name in sorted(os.listdir(UNIT_DIRECTORY)):
        if not name.startswith(prefix) or not name.endswith((".service", ".timer")):
            continue
        with open(os.path.join(UNIT_DIRECTORY, name), encoding="utf-8") as file:
            images = [line.split("=", 1)[1].strip() for line in file if line.startswith("Image=")]
        found[name] = {"image": images[0], "image_id": image_id(images[0])} if images else {}
    return found


def image_id(reference):
    done = run(["docker", "image", "inspect", "--format={{.Id}}", reference], check=False)
    return done.stdout.strip()
