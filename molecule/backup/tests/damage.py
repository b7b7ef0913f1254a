# SPDX-FileCopyrightText: 2026 The selfhosting.lago authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Runs on the server: damages the repository, one bit at a time, and counts what is noticed."""

import json
import os
import random
import shutil
import sys

sys.path.insert(0, "/mash/backup/program")

from repository import Repository
from shell import Failure

FLIPS = 100
# Of these, so many are looked for by restoring as well: in the dump, and the last one in the manifest.
RESTORES = 3
TARGET = "/tmp/restored"

with open("/mash/backup/backup.json") as file:
    repository = Repository(json.load(file))
chooser = random.Random(1)
snapshot = repository.snapshots()[-1]
files = sorted(
    os.path.join(root, name)
    for root, _directories, names in os.walk(repository.directory)
    for name in names
    if "/locks/" not in f"{root}/"
)


def noticed():
    try:
        # The first is a part of the second, and most of what it finds.
        return bool(repository.misnamed() or repository.damaged())
    except Failure:
        return True


def restored():
    """Whether the newest backup comes back without a word of complaint."""
    try:
        repository.fetch(snapshot, TARGET)
        return True
    except Failure:
        return False
    finally:
        shutil.rmtree(TARGET, ignore_errors=True)


def asked(*arguments):
    return json.loads(repository.restic("cat", *arguments).stdout)


def node(tree, name):
    return next(one for one in asked("blob", tree)["nodes"] if one["name"] == name)


def needed():
    """Where the newest dump and its manifest lie: path, first byte, number of bytes of each part."""
    parts = {}
    for index in repository.restic("list", "index").stdout.split():
        for pack in asked("index", index)["packs"]:
            path = os.path.join(repository.directory, "data", pack["id"][:2], pack["id"])
            parts.update({blob["id"]: (path, blob["offset"], blob["length"]) for blob in pack["blobs"]})
    dump = node(node(snapshot["tree"], "postgres")["subtree"], "1.dump")
    manifest = node(snapshot["tree"], "manifest.json")
    return [[parts[name] for name in one["content"]] for one in (dump, manifest)]


unnoticed, damaged, restores = [], set(), 0
dump, manifest = needed()
for number in range(FLIPS):
    # A file of the repository; the last times what the newest backup needs of one. Nothing else is read by a restore.
    path, first, count = files[number % len(files)], 0, None
    restoring = number >= FLIPS - RESTORES
    if restoring:
        path, first, count = chooser.choice(dump if number < FLIPS - 1 else manifest)
    with open(path, "rb") as file:
        whole = file.read()
    content = bytearray(whole)
    bit = first * 8 + chooser.randrange((count or len(whole)) * 8)
    content[bit // 8] ^= 1 << bit % 8
    os.chmod(path, 0o600)
    with open(path, "wb") as file:
        file.write(content)
    damaged.add(path)
    if not noticed():
        unnoticed.append([os.path.relpath(path, repository.directory), bit])
    if restoring:
        restores += not restored()
    with open(path, "wb") as file:
        file.write(whole)
    os.chmod(path, 0o400)

print(
    json.dumps(
        {
            "flips": FLIPS,
            "files": len(files),
            "damaged_files": len(damaged),
            "unnoticed": unnoticed,
            "restores_that_noticed": restores,
        }
    )
)
