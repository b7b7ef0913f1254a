#!/usr/bin/python3
# SPDX-FileCopyrightText: 2026 The selfhosting.lago authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Make a container from the image with which a step succeeded, whatever its name stands for by now.

Somebody may pull a tag anew. Until the step (Lago's migration) has succeeded with that image, a unit that restarts, or
a server that boots, goes on with the one before, which Docker keeps under its id.

  container-gated RECORD IMAGE COMMAND..    runs COMMAND, with the id in place of IMAGE where the two differ
"""

import json
import os
import subprocess
import sys


def image_id(reference):
    """The id of an image; empty where the server has none of that name."""
    done = subprocess.run(
        ["docker", "image", "inspect", "--format={{.Id}}", reference],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        check=False,
    )
    return done.stdout.strip() if done.returncode == 0 else ""


def recorded(path):
    """What the step last succeeded with; nothing where there is no such record."""
    try:
        with open(path, encoding="utf-8") as file:
            return json.load(file)
    except (OSError, ValueError):
        return {}


def main(arguments):
    path, image, *command = arguments
    record = recorded(path)
    passed = record.get("image_id")
    # Where the record is about another reference, a run ended between the step and the change of the unit.
    if record.get("image") == image and passed and image_id(image) != passed:
        if not image_id(passed):
            print(
                f"{image} is another image than the one with which the migration succeeded, and that one is gone. "
                "Run the playbook: it begins with the migration.",
                file=sys.stderr,
            )
            return 1
        print(f"{image} is another image now; until the playbook has run its migration, {passed} goes on")
        command = [passed if word == image else word for word in command]
    sys.stdout.flush()
    return os.execv(command[0], command)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
