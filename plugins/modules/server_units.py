#!/usr/bin/python
# SPDX-FileCopyrightText: 2026 The selfhosting.lago authors
# SPDX-License-Identifier: AGPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: server_units
short_description: Make what runs equal to what is installed, with one systemctl call
description:
  - C(converge) enables and starts what is down and restarts what differs from the files and images on the server.
  - C(restart) restarts always, C(stop) stops, C(remove) stops, disables and removes the unit file and the container.
  - C(step) runs a one-shot unit to its end and records its success.
  - The order comes from the units' own dependencies. A unit that does not get ready fails the call with the last lines
    of its journal.
options:
  operation:
    description: What to do.
    type: str
    choices: [converge, restart, stop, remove, step]
    required: true
  units:
    description: Names of the units with the reference of their image (empty for a timer).
    type: dict
    required: true
  record:
    description: With C(step), where the success is recorded, and what it depends on.
    type: dict
author: The selfhosting.lago authors
"""

EXAMPLES = r"""
- name: Start what is down, restart what differs
  selfhosting.lago.server_units:
    operation: converge
    units:
      mash-valkey.service: docker.io/valkey/valkey:9.1.0-alpine
"""

RETURN = r"""
units:
  description: What was done with each unit, and why.
  returned: always
  type: dict
  sample: {"mash-lago-api.service": {"action": "restart", "reasons": ["/mash/lago/api/env changed"]}}
"""

import json
import os
import tempfile

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.selfhosting.lago.plugins.module_utils.engine import (
    UNIT_DIRECTORY,
    Docker,
    EngineError,
    database_system,
    journal,
    normal_reference,
    run,
    show_units,
    unit_states,
)


def wanted_changes(states):
    """Start what is down, restart what is stale."""
    changes = {}
    for name, state in states.items():
        if not state["active"]:
            changes[name] = {"action": "start", "reasons": [f"it is {state['state']}"]}
        elif state["stale"]:
            changes[name] = {"action": "restart", "reasons": state["stale"]}
    return changes


def split(changes):
    """Names of what is down, and of what runs and is stale."""
    down = [name for name, change in changes.items() if change["action"] == "start"]
    return down, [name for name in changes if name not in down]


def failures(names):
    """The units that are not up, with what they said last."""
    found = []
    for name, properties in show_units(names).items():
        if properties.get("ActiveState") != "active":
            state = f"{properties.get('ActiveState')}/{properties.get('SubState')}, result {properties.get('Result')}"
            lines = journal(name)
            found.append(
                "\n".join([f"{name} did not get ready ({state}). Its journal ends:", *(f"  {line}" for line in lines)])
            )
    return found


def start(module, down, stale):
    """One order for all: the units' own. systemctl queues each restart by itself, which would start twice what another
    one has just pulled in; so only what runs is restarted, what is down is started, and both are waited for together.
    """
    names = sorted([*down, *stale])
    run(["systemctl", "reset-failed", "--", *names], check=False)
    if stale:
        run(["systemctl", "restart", "--no-block", "--", *sorted(stale)], check=False)
    run(["systemctl", "start", "--", *names], check=False)
    problems = failures(names)
    if problems:
        module.fail_json(msg="\n".join(problems), units={})


def write_record(record):
    os.makedirs(os.path.dirname(record["path"]), mode=0o750, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=os.path.dirname(record["path"]), prefix=".new-")
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        json.dump(record["content"], file, sort_keys=True)
    os.chmod(temporary, 0o640)
    os.replace(temporary, record["path"])


def run_step(module, units, record):
    (name,) = units
    run(["systemctl", "reset-failed", "--", name], check=False)
    done = run(["systemctl", "start", "--", name], check=False)
    if done.returncode:
        invocation = show_units([name])[name].get("InvocationID")
        lines = journal(name, lines=30, invocation=invocation) or journal(name, lines=30)
        module.fail_json(
            msg="\n".join(
                [f"{name} failed; nothing after it was changed. Its journal ends:", *(f"  {line}" for line in lines)]
            ),
            units={},
        )
    if record:
        image_id = Docker().image_ids().get(normal_reference(record["image"]), "")
        content = dict(record["content"], image_id=image_id, database=database_system(record["data_path"]))
        write_record({"path": record["path"], "content": content})
    return {name: {"action": "run", "reasons": []}}


def remove(names):
    run(["systemctl", "disable", "--now", "--", *names], check=False)
    for name in names:
        path = os.path.join(UNIT_DIRECTORY, name)
        if os.path.exists(path):
            os.unlink(path)
        if name.endswith(".service"):
            run(["docker", "rm", "--force", name.rsplit(".", 1)[0]], check=False)
    run(["systemctl", "daemon-reload"])
    run(["systemctl", "reset-failed", "--", *names], check=False)


def main():
    module = AnsibleModule(
        argument_spec={
            "operation": {
                "type": "str",
                "required": True,
                "choices": ["converge", "restart", "stop", "remove", "step"],
            },
            "units": {"type": "dict", "required": True},
            "record": {"type": "dict"},
        },
        supports_check_mode=True,
    )
    operation = module.params["operation"]
    units = {name: {"image": image} for name, image in module.params["units"].items()}
    changes = {}
    try:
        if operation == "step":
            changes = {name: {"action": "run", "reasons": []} for name in units}
            if not module.check_mode:
                changes = run_step(module, units, module.params["record"])
            module.exit_json(changed=True, units=changes)
        states = unit_states(units, Docker())
        if operation == "converge":
            changes = wanted_changes(states)
            off = [name for name, state in states.items() if state["loaded"] and not state["enabled"]]
            if not module.check_mode:
                if any(state["needs_reload"] for state in states.values()):
                    run(["systemctl", "daemon-reload"])
                if off:
                    run(["systemctl", "enable", "--quiet", "--", *off])
                if changes:
                    start(module, *split(changes))
            for name in off:
                changes.setdefault(name, {"action": "enable", "reasons": ["it would not come up at boot"]})
        elif operation == "restart":
            changes = {name: {"action": "restart", "reasons": ["you asked for it"]} for name in states}
            if changes and not module.check_mode:
                start(module, [], sorted(changes))
        elif operation == "stop":
            changes = {
                name: {"action": "stop", "reasons": ["you asked for it"]}
                for name, state in states.items()
                if state["state"].split("/")[0] in ("active", "activating", "reloading")
            }
            if changes and not module.check_mode:
                run(["systemctl", "stop", "--", *sorted(changes)])
        else:
            changes = {
                name: {"action": "remove", "reasons": ["nothing asks for it any more"]}
                for name, state in states.items()
                if state["loaded"] or os.path.exists(os.path.join(UNIT_DIRECTORY, name))
            }
            if changes and not module.check_mode:
                remove(sorted(changes))
    except EngineError as error:
        module.fail_json(msg=str(error), units=changes)
    module.exit_json(changed=bool(changes), units=changes)


if __name__ == "__main__":
    main()
