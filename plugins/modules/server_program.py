#!/usr/bin/python
# SPDX-FileCopyrightText: 2026 The selfhosting.lago authors
# SPDX-License-Identifier: AGPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: server_program
short_description: Start a unit that runs to its end, and follow what it says
description:
  - Returns after C(patience) seconds, or when the unit has ended, with what it has said so far; the caller shows that
    and calls again with the C(cursor) that was returned.
  - A connection that breaks does not end the unit. A unit that runs already is followed, not started a second time.
options:
  unit:
    description: Name of the unit, with its suffix.
    type: str
    required: true
  cursor:
    description: Where in the journal the call before ended. Without it the unit is started.
    type: str
  request:
    description: What the program is asked for, written to C(request_path) as JSON before the unit is started.
    type: dict
  request_path:
    description: File that the program reads that from. A unit that runs already with another request is an error.
    type: path
  command:
    description: Command line of a unit that is made for this one run. Without it the unit is one that is installed.
    type: list
    elements: str
  success_statuses:
    description: Exit statuses of that command that are no failure, besides 0.
    type: list
    elements: int
    default: []
  patience:
    description: Seconds to wait for the end before returning.
    type: int
    default: 5
extends_documentation_fragment: [selfhosting.lago.lease]
author: The selfhosting.lago authors
"""

EXAMPLES = r"""
- name: Back up
  selfhosting.lago.server_program:
    unit: mash-backup.service
"""

RETURN = r"""
running:
  description: Whether it still runs.
  returned: always
  type: bool
result:
  description: What systemd calls the way it ended; C(success) when all went well.
  returned: always
  type: str
lines:
  description: >-
    What it said since the cursor, each with C(text) and C(progress), which tells of a line that is news only now.
  returned: always
  type: list
  elements: dict
cursor:
  description: For the next call.
  returned: always
  type: str
"""

import json
import os
import time

from ansible_collections.selfhosting.lago.plugins.module_utils.engine import EngineError, run
from ansible_collections.selfhosting.lago.plugins.module_utils.lease import LeasedModule

# Of systemd, from its manual: what has a job or is in one of these states is not at its end.
BUSY = ("activating", "active", "reloading", "deactivating")
# Priority 7 is debug (man 3 sd-daemon).
DEBUG = "7"


def state(unit):
    shown = run(["systemctl", "show", "--property=ActiveState,Result,Job", "--", unit]).stdout
    found = dict(line.split("=", 1) for line in shown.splitlines() if "=" in line)
    running = found.get("ActiveState") in BUSY or found.get("Job", "0") not in ("", "0")
    return running, found.get("Result", "")


def start(unit, command, success_statuses):
    """One that runs already goes on."""
    if not command:
        run(["systemctl", "start", "--no-block", "--", unit])
    elif not state(unit)[0]:
        # What an earlier run of the name left behind.
        run(["systemctl", "reset-failed", "--", unit], check=False)
        properties = [f"--property=SyslogIdentifier={unit.rsplit('.', 1)[0]}"]
        properties += [f"--property=SuccessExitStatus={status}" for status in success_statuses]
        run(
            [
                "systemd-run",
                "--quiet",
                "--no-block",
                f"--unit={unit}",
                "--service-type=oneshot",
                *properties,
                "--",
                *command,
            ]
        )


def end_of_journal():
    for line in run(["journalctl", "--lines=0", "--show-cursor", "--quiet"]).stdout.splitlines():
        if line.startswith("-- cursor: "):
            return line[len("-- cursor: ") :]
    return ""


def said(unit, cursor):
    """The lines since the cursor, and where they end."""
    # Chosen here: where the cursor is of somebody else's line, journalctl before systemd 253 loses the first that it
    # chooses itself.
    fields = "--output-fields=MESSAGE,PRIORITY,SYSLOG_IDENTIFIER"
    command = ["journalctl", "--output=json", "--quiet", fields, f"--after-cursor={cursor}"]
    lines = []
    for line in run(command).stdout.splitlines():
        entry = json.loads(line)
        cursor = entry["__CURSOR"]
        if entry.get("SYSLOG_IDENTIFIER") != unit.rsplit(".", 1)[0]:
            continue
        text = entry.get("MESSAGE") or ""
        if not isinstance(text, str):
            # Journald gives what is no plain text as numbers.
            text = bytes(text).decode(errors="replace")
        lines.append({"text": text, "progress": entry.get("PRIORITY") == DEBUG})
    return lines, cursor


def ask(unit, path, request):
    """Not of a program that is busy with something else."""
    text = json.dumps(request, sort_keys=True)
    try:
        with open(path, encoding="utf-8") as file:
            before = file.read()
    except FileNotFoundError:
        before = ""
    if text == before:
        return
    if state(unit)[0]:
        raise EngineError(f"{unit} is at work on another request. Wait for its end: journalctl -fu {unit}")
    with open(os.open(f"{path}.new", os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
        file.write(text)
    os.replace(f"{path}.new", path)


def main():
    module = LeasedModule(
        argument_spec={
            "unit": {"type": "str", "required": True},
            "cursor": {"type": "str"},
            "request": {"type": "dict"},
            "request_path": {"type": "path"},
            "command": {"type": "list", "elements": "str"},
            "success_statuses": {"type": "list", "elements": "int", "default": []},
            "patience": {"type": "int", "default": 5},
        },
        required_together=[["request", "request_path"]],
        supports_check_mode=False,
    )
    unit, cursor = module.params["unit"], module.params["cursor"]
    try:
        if not cursor:
            cursor = end_of_journal()
            if module.params["request_path"]:
                ask(unit, module.params["request_path"], module.params["request"])
            start(unit, module.params["command"], module.params["success_statuses"])
        deadline = time.monotonic() + module.params["patience"]
        running, result = state(unit)
        while running and time.monotonic() < deadline:
            time.sleep(0.3)
            running, result = state(unit)
        if not running:
            # What it said last may be on its way to the journal.
            run(["journalctl", "--sync"], check=False)
            if result != "success":
                module.give_back(f"{unit} failed ({result})")
        lines, cursor = said(unit, cursor)
    except EngineError as error:
        module.fail_json(msg=str(error))
    module.exit_json(changed=True, running=running, result=result, lines=lines, cursor=cursor)


if __name__ == "__main__":
    main()
