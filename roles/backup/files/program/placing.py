# SPDX-FileCopyrightText: 2026 The selfhosting.lago authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Files of a backup in the place of those in use, which are kept."""

from __future__ import annotations

import os
import shutil

from backup import clear
from shell import Progress, run, say, sha256

REPLACED = ".replaced-"


def put_valkey(valkey, directory, key):
    """The snapshot alone is in its data directory: that is what it reads when it starts, whatever it kept before.

    `key` is of this restore and no other.
    """
    say("Putting Valkey's data in place")
    unit, data = f"{valkey['container']}.service", valkey["data_path"]
    run(["systemctl", "stop", "--", unit])
    replaced = os.path.join(data, REPLACED + key)
    set_aside(data, replaced)
    # Never read while it is half there.
    new, target = os.path.join(data, ".new"), os.path.join(data, "dump.rdb")
    place(os.path.join(directory, "valkey", "dump.rdb"), new, valkey["ids"], 0o640)
    os.replace(new, target)
    run(["systemctl", "start", "--", unit])
    for name in os.listdir(data):
        if name.startswith(REPLACED) and name != os.path.basename(replaced):
            clear(os.path.join(data, name))


def set_aside(directory, replaced):
    """Everything in it, once: a call that was cut off is completed."""
    complete = os.path.join(replaced, ".complete")
    if os.path.exists(complete):
        # Of this very call: what came since is what it put there itself.
        for name in os.listdir(directory):
            if not name.startswith("."):
                remove(os.path.join(directory, name))
        return
    os.makedirs(replaced, mode=0o700, exist_ok=True)
    for name in os.listdir(directory):
        if not name.startswith("."):
            os.replace(os.path.join(directory, name), os.path.join(replaced, name))
    with open(complete, "w", encoding="utf-8"):
        pass


def remove(path):
    if os.path.isdir(path) and not os.path.islink(path):
        shutil.rmtree(path)
    else:
        os.unlink(path)


def place(source, target, ids, mode):
    """A copy that is on the disk, owned by who reads it here: on another server that may be another number."""
    shutil.copyfile(source, target)
    own(target, ids, mode)
    with open(target, "rb") as file:
        os.fsync(file.fileno())


def own(path, ids, mode):
    uid, gid = ids.split(":")
    os.chown(path, int(uid), int(gid))
    os.chmod(path, mode & 0o7777)


def put_files(content, directory, configuration, kept):
    """Those that are missing or differ. Newer ones stay: they are in nobody's way, and may be invoices."""
    say("Putting Lago's files in place")
    prefix, storage, ids = "storage/", configuration["storage"], configuration["lago"]["ids"]
    files = {path[len(prefix) :]: file for path, file in content["files"].items() if path.startswith(prefix)}
    progress = Progress("Comparing Lago's files", sum(file["bytes"] for file in files.values()))
    count = 0
    for path, file in files.items():
        target, source = os.path.join(storage, path), os.path.join(directory, prefix, path)
        if same(target, file):
            progress.add(file["bytes"])
            continue
        make_directories(os.path.dirname(path), os.path.join(directory, prefix), storage, ids)
        if os.path.lexists(target):
            os.makedirs(os.path.dirname(os.path.join(kept, path)), mode=0o700, exist_ok=True)
            shutil.copy2(target, os.path.join(kept, path), follow_symlinks=False)
        new = f"{target}.new"
        place(source, new, ids, os.stat(source).st_mode)
        os.replace(new, target)
        progress.add(file["bytes"])
        count += 1
    say(f"Lago's files: {len(files)} in the backup, {count} of them put back")


def another_key(content, configuration):
    """Lago's RSA key, where the server makes it because vars.yml has none: its path in a backup of another one."""
    here, there = ((lago or {}).get("rsa_key") for lago in (configuration["lago"], content["lago"]))
    stored = content["files"].get(f"server{there}") if here and there else None
    return f"server{there}" if stored and not same(here, stored) else None


def put_key(content, directory, configuration, kept):
    path = another_key(content, configuration)
    if not path:
        return
    source, target = os.path.join(directory, path), configuration["lago"]["rsa_key"]
    if os.path.lexists(target):
        os.makedirs(kept, mode=0o700, exist_ok=True)
        shutil.copy2(target, os.path.join(kept, os.path.basename(target)))
    os.makedirs(os.path.dirname(target), mode=0o700, exist_ok=True)
    place(source, f"{target}.new", configuration["lago"]["ids"], os.stat(source).st_mode)
    os.replace(f"{target}.new", target)
    say(f"Lago's RSA key is that of the backup again: {target}")


def same(path, file):
    try:
        return os.path.getsize(path) == file["bytes"] and sha256(path) == file["sha256"]
    except FileNotFoundError:
        return False


def make_directories(path, source, target, ids):
    """With their mode as it is in the backup."""
    done = ""
    for part in path.split("/") if path else []:
        done = os.path.join(done, part)
        new = os.path.join(target, done)
        if not os.path.isdir(new):
            os.mkdir(new)
            own(new, ids, os.stat(os.path.join(source, done)).st_mode)
