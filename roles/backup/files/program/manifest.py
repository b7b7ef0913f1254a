# SPDX-FileCopyrightText: 2026 The selfhosting.lago authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""What is in a backup, written beside it: what it is compared with when it is restored."""

from __future__ import annotations

import hashlib
import hmac
import json
import os

from shell import Progress, sha256

NAME = "manifest.json"
FORMAT = 1
# What the keys are told apart by: it says nothing about them.
FIXED_TEXT = b"selfhosting.lago key fingerprint"
KEYS = (
    "SECRET_KEY_BASE",
    "LAGO_RSA_PRIVATE_KEY",
    "ENCRYPTION_PRIMARY_KEY",
    "ENCRYPTION_DETERMINISTIC_KEY",
    "ENCRYPTION_KEY_DERIVATION_SALT",
)


def environment_of(path):
    """Variables of an environment file; none where there is no such file."""
    try:
        with open(path, encoding="utf-8") as file:
            lines = [line.rstrip("\n") for line in file]
    except FileNotFoundError:
        return {}
    return dict(line.split("=", 1) for line in lines if "=" in line and not line.startswith("#"))


def fingerprints(environment):
    return {
        name: hmac.new(environment[name].encode(), FIXED_TEXT, hashlib.sha256).hexdigest()[:16]
        for name in KEYS
        if environment.get(name)
    }


def checksums(directory):
    """Every file below a directory but the manifest: path to size and checksum."""
    paths = []
    for root, _directories, names in os.walk(directory):
        paths += [os.path.relpath(os.path.join(root, name), directory) for name in names]
    paths = sorted(path for path in paths if path != NAME and not os.path.islink(os.path.join(directory, path)))
    sizes = {path: os.path.getsize(os.path.join(directory, path)) for path in paths}
    progress = Progress("Checksums", sum(sizes.values()))
    return {path: {"bytes": sizes[path], "sha256": sha256(os.path.join(directory, path), progress)} for path in paths}


def write(directory, content):
    path = os.path.join(directory, NAME)
    with open(path, "w", encoding="utf-8") as file:
        json.dump({"format": FORMAT, **content}, file, indent=1, sort_keys=True)
        file.flush()
        os.fsync(file.fileno())


def read(directory):
    with open(os.path.join(directory, NAME), encoding="utf-8") as file:
        return json.load(file)


def differences(manifest, directory):
    """Files that are not as they were."""
    found = checksums(directory)
    texts = []
    for path in sorted({*manifest["files"], *found}):
        if path not in found:
            texts.append(f"{path} is missing")
        elif path not in manifest["files"]:
            texts.append(f"{path} is not in the manifest")
        elif found[path] != manifest["files"][path]:
            texts.append(f"{path} is not what was stored")
    return texts
