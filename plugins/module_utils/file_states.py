# SPDX-FileCopyrightText: 2026 The selfhosting.lago authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Modes, owners and keyed checksums of files."""

from __future__ import annotations

import grp
import os
import pwd
import stat

from .engine import keyed_digest

DATA_DIRECTORIES = {"data", "run", "ssl"}
# Configuration files are small; whatever is larger was not written by us.
LARGEST_FILE = 1024 * 1024
DEPTH = 4


def name_of(database, number):
    try:
        return database(number)[0]
    except KeyError:
        return str(number)


def describe(path, key):
    status = os.lstat(path)
    entry = {
        "mode": format(stat.S_IMODE(status.st_mode), "04o"),
        "owner": name_of(pwd.getpwuid, status.st_uid),
        "group": name_of(grp.getgrgid, status.st_gid),
        "kind": "directory" if stat.S_ISDIR(status.st_mode) else "file" if stat.S_ISREG(status.st_mode) else "other",
    }
    if entry["kind"] == "file" and status.st_size <= LARGEST_FILE:
        with open(path, "rb") as file:
            entry["digest"] = keyed_digest(key, file.read())
    return entry


def walk(root, key, depth=0):
    """Directories and files below a root, without the content of data directories; a file alone."""
    if os.path.isfile(root):
        return {root: describe(root, key)}
    if not os.path.isdir(root) or os.path.islink(root):
        return {}
    found = {root: describe(root, key)}
    for name in sorted(os.listdir(root)):
        path = os.path.join(root, name)
        if os.path.isdir(path) and not os.path.islink(path):
            if name in DATA_DIRECTORIES or depth >= DEPTH:
                found[path] = describe(path, key)
            else:
                found.update(walk(path, key, depth + 1))
        else:
            found[path] = describe(path, key)
    return found
