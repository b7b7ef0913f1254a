# SPDX-FileCopyrightText: 2026 The selfhosting.lago authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""One-shot units and the record of their success. Standard library only, Python 3.9 and newer."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import tempfile

from ansible_collections.selfhosting.lago.plugins.module_utils.engine import (
    Docker,
    database_system,
    journal,
    normal_reference,
    run,
    show_units,
)

# Enough to count what a step has done: a migration says some lines about each of hundreds.
LINES_OF_STEP = 5000


def run_step(module, step, patience=None, begun=None):
    name, record = step["unit"], step["record"]
    if not begun:
        run(["systemctl", "reset-failed", "--", name], check=False)
    # Somebody may pull the tag anew while the step runs.
    image_id = begun["image_id"] if begun else Docker().image_ids().get(normal_reference(record["image"]), "")
    if step["borrow"]:
        with borrowed(**step["borrow"]):
            fine = run(["systemctl", "start", "--", name], check=False).returncode == 0
    else:
        fine = succeeds(name, patience, bool(begun))
    if fine is None:
        said = journal(name, LINES_OF_STEP, show_units([name])[name].get("InvocationID"))
        module.exit_json(changed=True, units={}, begun={"image_id": image_id}, said=said)
    if not fine:
        invocation = show_units([name])[name].get("InvocationID")
        lines = journal(name, lines=30, invocation=invocation) or journal(name, lines=30)
        module.fail_json(
            msg="\n".join(
                [f"{name} failed; nothing after it was changed. Its journal ends:", *(f"  {line}" for line in lines)]
            ),
            units={},
        )
    content = dict(record["content"], image_id=image_id, database=database_system(record["data_path"]))
    write_record({"path": record["path"], "content": content})
    return {name: {"action": "run", "reasons": []}}


def succeeds(name, patience, begun):
    """Whether it ended well; None while it still runs. To start what runs is to wait for it."""
    if begun:
        shown = show_units([name])[name]
        if shown["ActiveState"] not in ("activating", "active", "deactivating"):
            return shown["Result"] == "success"
    try:
        return run(["systemctl", "start", "--", name], check=False, timeout=patience).returncode == 0
    except subprocess.TimeoutExpired:
        return None


@contextlib.contextmanager
def borrowed(path, file, names):
    """Within, lines of an environment file are those of another one; a run that dies here is put right by the next."""
    with open(path, encoding="utf-8") as own, open(file, encoding="utf-8") as other:
        text, lines = own.read(), other.read().splitlines(keepends=True)
    taken = {name: line for line in lines for name in names if line.startswith(f"{name}=")}
    mixed = [taken.get(line.partition("=")[0], line) for line in text.splitlines(keepends=True)]
    rewrite(path, "".join(mixed))
    try:
        yield
    finally:
        rewrite(path, text)


def rewrite(path, text):
    """With the owner and mode that it has."""
    was = os.stat(path)
    replace(path, text, was.st_mode & 0o7777, (was.st_uid, was.st_gid))


def write_record(record):
    os.makedirs(os.path.dirname(record["path"]), mode=0o750, exist_ok=True)
    replace(record["path"], json.dumps(record["content"], sort_keys=True), 0o640)


def replace(path, text, mode, owner=None):
    """A file with this text, at once: nobody reads half of it."""
    handle, temporary = tempfile.mkstemp(dir=os.path.dirname(path), prefix=".new-")
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.write(text)
    if owner:
        os.chown(temporary, *owner)
    os.chmod(temporary, mode)
    os.replace(temporary, path)
