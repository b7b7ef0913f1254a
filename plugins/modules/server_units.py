#!/usr/bin/python
# SPDX-FileCopyrightText: 2026 The selfhosting.lago authors
# SPDX-License-Identifier: AGPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: server_units
short_description: Make what runs equal to what is installed, with one systemctl call
description:
  - C(converge) enables and starts what is down and restarts what differs from the files and images on the server.
  - C(restart) restarts always, C(stop) stops.
  - C(step) runs the one-shot unit in O(steps) to its end and records its success.
  - C(waiting) asks the containers in O(leftovers) what still waits for them, until nothing does or O(patience) is
    over.
  - The order comes from the units' own dependencies and from O(order). A unit that does not get ready fails the call
    with the last lines of its journal.
options:
  operation:
    description: What to do.
    type: str
    choices: [converge, restart, stop, step, waiting]
    required: true
  units:
    description: Names of the units with the reference of their image (empty for a timer).
    type: dict
    required: true
  order:
    description:
      - Of some units, how they are restarted and stopped together with others. The highest C(stop_rank) is stopped
        first and started last. Those with the same C(pool) are restarted one after the other. What has C(never_down) is
        restarted when it will not be down for the whole of one of its C(minutes).
    type: dict
    default: {}
  at_boot:
    description:
      - With C(stop), whether O(units) come up when the server boots. C(converge) enables them again.
    type: bool
    default: true
  leftovers:
    description: With C(waiting), names of units with the command inside the container that prints what waits for it.
    type: dict
    default: {}
  patience:
    description:
      - With C(waiting) and C(step), seconds after which to answer at the latest. A step that borrows nothing goes on
        then, and the next call waits for it again.
    type: int
    default: 10
  begun:
    description: With C(step), what the call before returned under this name.
    type: dict
    default: {}
  steps:
    description:
      - One-shot units. With C(step) the one that is run; with C(converge) those that run once what has a C(stop_rank)
        is stopped, right before anything is restarted.
    type: list
    elements: dict
    default: []
    suboptions:
      unit: {description: Its name., type: str, required: true}
      record: {description: "Where the success is recorded, and what it depends on.", type: dict, required: true}
      borrow:
        description:
          - Lines C(names) of the environment file C(path) that are taken from C(file) as long as the step runs.
        type: dict
        default: {}
extends_documentation_fragment: [selfhosting.lago.lease]
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
begun:
  description: Of a step that still runs, what the next call has to know.
  returned: with O(operation=step)
  type: dict
said:
  description: What such a step has said so far, the last lines of it.
  returned: with O(operation=step)
  type: list
  elements: str
waiting:
  description: With O(operation=waiting), what is still waiting for which unit.
  returned: with O(operation=waiting)
  type: dict
  sample: {"mash-lago-pdfs-worker.service": "3 in pdfs"}
"""

import contextlib
import os
import signal
import time

from ansible_collections.selfhosting.lago.plugins.module_utils.engine import (
    OTHER_IMAGE,
    UNKNOWN_START,
    Docker,
    EngineError,
    managed_unit,
    run,
    show_units,
    unit_states,
)
from ansible_collections.selfhosting.lago.plugins.module_utils.lease import LeasedModule
from ansible_collections.selfhosting.lago.plugins.module_utils.starting import by_rank, start
from ansible_collections.selfhosting.lago.plugins.module_utils.steps import run_step

# Sidekiq gives its jobs 25 s and then puts them back.
DRAIN_SECONDS = 35


def wanted_changes(states):
    """Start what is down, restart what is stale."""
    changes = {}
    for name, state in states.items():
        if not state["active"]:
            changes[name] = {"action": "start", "reasons": [f"it is {state['state']}"]}
        elif reasons := reasons_to_restart(state):
            changes[name] = {"action": "restart", "reasons": reasons}
    return changes


def reasons_to_restart(state):
    """Without the image whose gate comes first: a restart would not bring it."""
    if not state.get("awaits_gate"):
        return state["stale"]
    return [reason for reason in state["stale"] if not reason.endswith(OTHER_IMAGE)]


def split(changes, states):
    """Names of what is started, and of what is started anew: it runs and is stale, or comes up with what is stale."""
    down = [
        name for name, change in changes.items() if change["action"] == "start" and not states[name].get("overtaken")
    ]
    return down, [name for name in changes if name not in down]


def end_processes(names, docker):
    """End what another playbook started inside of a container with `docker exec`: worker and clock of MASH's Lago.

    Such a process gets no signal when its unit or its container stops, and a worker that is killed loses its jobs. The
    container stops with what its unit requires, too.
    """
    if not names:
        return
    output = run(["systemctl", "show", "--property=RequiredBy", "--value", "--", *names], check=False).stdout
    running = []
    for name in sorted({*names, *output.split()}):
        container = docker.container(name.rsplit(".", 1)[0]) or {}
        for identifier in container.get("ExecIDs") or []:
            process = docker.get(f"/exec/{identifier}/json") or {}
            if process.get("Running") and process.get("Pid"):
                running.append(process["Pid"])
    for pid in running:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGTERM)
    deadline = time.monotonic() + DRAIN_SECONDS
    while any(os.path.exists(f"/proc/{pid}") for pid in running) and time.monotonic() < deadline:
        time.sleep(0.2)


def users_of(changes):
    """Workers that the unit of what is restarted stops before and starts after it (container-users)."""
    holders = [
        name
        for name, change in changes.items()
        if change["action"] == "restart" and managed_unit(name).get("users_first")
    ]
    found = {}
    for name, properties in show_units(sorted(holders)).items():
        for user in properties.get("WantedBy", "").split():
            if user not in changes and managed_unit(user).get("quiet") and is_active(user):
                found[user] = {"action": "restart", "reasons": [f"{name} restarts"]}
    return found


def wait_for_users(names):
    """What to say of those that stay down: they may still have values of before, until their own product's turn."""
    if names:
        run(["systemctl", "start", "--", *names], check=False)
    return [
        f"{name} did not start again after what it needs: journalctl --unit={name} says why"
        for name, properties in show_units(names).items()
        if properties.get("ActiveState") != "active"
    ]


def waiting_for(leftovers, patience):
    """What still waits for the units, asked until it is nothing."""
    deadline = time.monotonic() + patience
    while True:
        found = {}
        for name, command in sorted(leftovers.items()):
            container = name.rsplit(".", 1)[0]
            done = run(["docker", "exec", container, *command], check=False)
            if done.returncode and not is_active(name):
                # Only it can do what waits for it.
                run(["systemctl", "start", "--", name], check=False)
                done = run(["docker", "exec", container, *command], check=False)
            if done.returncode:
                said = (done.stderr.strip() or f"status {done.returncode}").splitlines()[-1]
                found[name] = f"it cannot be asked what waits for it: {said}"
            elif done.stdout.strip():
                found[name] = done.stdout.strip()
        if not found or time.monotonic() > deadline:
            return found
        time.sleep(1)


def is_active(name):
    return show_units([name])[name].get("ActiveState") == "active"


def look(module, docker):
    return unit_states({name: {"image": image} for name, image in module.params["units"].items()}, docker)


def converge(module, changes):
    docker = Docker()
    states = look(module, docker)
    changes.update(wanted_changes(states))
    users, warnings, steps = users_of(changes), [], module.params["steps"]
    off = [name for name, state in states.items() if state["loaded"] and not state["enabled"]]
    if not module.check_mode:
        if any(state["needs_reload"] for state in states.values()):
            run(["systemctl", "daemon-reload"])
        if off:
            run(["systemctl", "enable", "--quiet", "--", *off])
        end_processes([name for name, state in states.items() if UNKNOWN_START in state["stale"]], docker)
        if changes or steps:
            calls = [lambda one=one: changes.update(run_step(module, one)) for one in steps]
            start(module, *split(changes, states), module.params["order"], calls)
            warnings = wait_for_users(sorted(users))
    changes.update(users)
    for name in off:
        changes.setdefault(name, {"action": "enable", "reasons": ["it would not come up at boot"]})
    return warnings


def restart(module, changes):
    changes.update({name: {"action": "restart", "reasons": ["you asked for it"]} for name in look(module, Docker())})
    users, warnings = users_of(changes), []
    if changes and not module.check_mode:
        start(module, [], sorted(changes), module.params["order"])
        warnings = wait_for_users(sorted(users))
    changes.update(users)
    return warnings


def stop(module, changes):
    for name, state in look(module, Docker()).items():
        if state["state"].split("/")[0] in ("active", "activating", "reloading"):
            changes[name] = {"action": "stop", "reasons": ["you asked for it"]}
    if module.params["units"] and not module.params["at_boot"] and not module.check_mode:
        # Also what is down already, and before anything stops: a server that loses its power in between starts nothing.
        run(["systemctl", "disable", "--quiet", "--", *sorted(module.params["units"])])
    if changes and not module.check_mode:
        for names in by_rank(changes, module.params["order"], first_stopped=True):
            run(["systemctl", "stop", "--", *names])
    return []


def step(module, changes):
    changes.update({name: {"action": "run", "reasons": []} for name in module.params["units"]})
    done = changes
    if not module.check_mode:
        done = run_step(module, *module.params["steps"], module.params["patience"], module.params["begun"])
    module.exit_json(changed=True, units=done, begun={}, said=[])


def waiting(module, _changes):
    found = waiting_for(module.params["leftovers"], module.params["patience"])
    module.exit_json(changed=False, units={}, waiting=found)


def main():
    module = LeasedModule(
        argument_spec={
            "operation": {
                "type": "str",
                "required": True,
                "choices": ["converge", "restart", "stop", "step", "waiting"],
            },
            "units": {"type": "dict", "required": True},
            "order": {"type": "dict", "default": {}},
            "at_boot": {"type": "bool", "default": True},
            "leftovers": {"type": "dict", "default": {}},
            "patience": {"type": "int", "default": 10},
            "begun": {"type": "dict", "default": {}},
            "steps": {
                "type": "list",
                "elements": "dict",
                "default": [],
                "options": {
                    "unit": {"type": "str", "required": True},
                    "record": {"type": "dict", "required": True},
                    "borrow": {"type": "dict", "default": {}},
                },
            },
        },
        supports_check_mode=True,
    )
    # Each fills `changes` as far as it comes, for a failure as well, and returns what to warn of. The last two have
    # answers of their own and end the module themselves.
    operations = {"converge": converge, "restart": restart, "stop": stop, "step": step, "waiting": waiting}
    changes = {}
    try:
        warnings = operations[module.params["operation"]](module, changes)
    except EngineError as error:
        module.fail_json(msg=str(error), units=changes)
    for warning in warnings:
        module.warn(warning)
    module.exit_json(changed=bool(changes), units=changes)


if __name__ == "__main__":
    main()
