# SPDX-FileCopyrightText: 2026 The selfhosting.lago authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Lago's files, copied with the owner of here. Its name stands for what is in a file: none ever changes."""

from __future__ import annotations

import os
import shutil

from shell import Progress, say

DIRECTORY_MODE, FILE_MODE = 0o750, 0o640


def files_of(path):
    """Relative path to size."""
    found = {}
    for directory, _directories, files in os.walk(path):
        for name in files:
            whole = os.path.join(directory, name)
            if os.path.isfile(whole) and not os.path.islink(whole):
                found[os.path.relpath(whole, path)] = os.path.getsize(whole)
    return found


def copied(storage):
    source, target, ids = storage["source"], storage["target"], tuple(map(int, storage["ids"].split(":")))
    wanted, there = files_of(source), files_of(target)
    missing = {path: size for path, size in wanted.items() if there.get(path) != size}
    progress = Progress("Copying files", sum(missing.values()))
    for path, size in missing.items():
        directories(target, os.path.dirname(path), ids)
        new = os.path.join(target, f"{path}.adopting")
        shutil.copyfile(os.path.join(source, path), new)
        os.chown(new, *ids)
        os.chmod(new, FILE_MODE)
        # Whole or not at all.
        os.replace(new, os.path.join(target, path))
        progress.add(size)
    say(f"Files: {len(wanted)}, of them copied now: {len(missing)}")


def directories(target, path, ids):
    done = target
    for part in path.split("/") if path else []:
        done = os.path.join(done, part)
        if not os.path.isdir(done):
            os.mkdir(done)
            os.chown(done, *ids)
            os.chmod(done, DIRECTORY_MODE)


def differences(storage):
    wanted, there = files_of(storage["source"]), files_of(storage["target"])
    return sorted(path for path, size in wanted.items() if there.get(path) != size)
