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
        return bool(repository.damaged())
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


unnoticed, damaged, restores = [], set(), 0
packs = sorted((path for path in files if "/data/" in path), key=os.path.getsize)
for number in range(FLIPS):
    # The last three go into the largest packs: they hold what every backup needs.
    path = packs[-1] if number >= FLIPS - 3 else files[number % len(files)]
    with open(path, "rb") as file:
        whole = file.read()
    content, bit = bytearray(whole), chooser.randrange(len(whole) * 8)
    content[bit // 8] ^= 1 << bit % 8
    os.chmod(path, 0o600)
    with open(path, "wb") as file:
        file.write(content)
    damaged.add(path)
    if not noticed():
        unnoticed.append([os.path.relpath(path, repository.directory), bit])
    if number >= FLIPS - 3:
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
