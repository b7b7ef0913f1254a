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
import json
import os
import signal
import subprocess
import tempfile
import time

from ansible_collections.selfhosting.lago.plugins.module_utils.engine import (
    OTHER_IMAGE,
    UNKNOWN_START,
    Docker,
    EngineError,
    database_system,
    journal,
    managed_unit,
    normal_reference,
    run,
    show_units,
    unit_states,
)
from ansible_collections.selfhosting.lago.plugins.module_utils.lease import LeasedModule

HOUR = 3600
# Seconds after which a clock has seen that another minute has begun, and done what it does then.
TICK = 5
# Enough to count what a step has done: a migration says some lines about each of hundreds.
LINES_OF_STEP = 5000
# What is started next comes after what was started before, but does not wait for a long stop or for other units.
BEGIN_SECONDS = 10
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


def rank(name, order):
    return order.get(name, {}).get("stop_rank", 0)


def by_rank(names, order, first_stopped=False):
    """Lists of names of one rank each, in the order of a start; or in that of a stop."""
    ranks = sorted({rank(name, order) for name in names}, reverse=first_stopped)
    return [sorted(name for name in names if rank(name, order) == number) for number in ranks]


def turns(names, order):
    """Lists of names that may be restarted together: of each pool one in each."""
    found, seen = [], {}
    for name in sorted(names):
        pool = order.get(name, {}).get("pool")
        number = seen.get(pool, 0) if pool else 0
        if pool:
            seen[pool] = number + 1
        found += [[] for _ in range(number + 1 - len(found))]
        found[number].append(name)
    return found


def start(module, down, stale, order, steps=()):
    """Start what is down, restart what is stale.

    systemctl queues each restart by itself, which would start twice what another one has just pulled in; so only what
    runs is restarted, what is down is started, and both are waited for together, in the order of the units' own.

    What has a rank is stopped before anything is restarted, and started after it: no clock fills queues on which nobody
    works. Only the beginning of a start is waited for, so that all boot at once. The steps are called right before the
    restarts.
    """
    run(["systemctl", "reset-failed", "--", *sorted([*down, *stale])], check=False)
    first, *later = turns(stale, order) or [[]]
    wait_for_minutes(first, order)
    stopped = [names for names in by_rank(first, order, first_stopped=True) if rank(names[0], order)]
    for names in stopped:
        run(["systemctl", "stop", "--", *names], check=False)
    try:
        for step in steps:
            step()
    except SystemExit:
        for names in reversed(stopped):
            run(["systemctl", "start", "--no-block", "--", *names], check=False)
        raise
    ranked = [name for name in [*down, *first] if rank(name, order)]
    unranked = [name for name in first if not rank(name, order)]
    if unranked:
        begin("restart", unranked)
    try:
        if later:
            wait_for(module, sorted(name for name in [*down, *first] if not rank(name, order)))
        for names in later:
            run(["systemctl", "restart", "--no-block", "--", *names], check=False)
            wait_for(module, names)
    finally:
        # Also where a replica does not get ready: the others serve, and there is work.
        *earlier, last = by_rank(ranked, order) or [[]]
        for names in earlier:
            begin("start", names)
        if last:
            run(["systemctl", "start", "--no-block", "--", *last], check=False)
    wait_for(module, sorted([*down, *first]))


def begin(verb, names):
    """Queue it, and wait until each of them has begun to start."""
    before = show_units(names)

    def begun(name, now):
        # systemd gives a unit another one whenever it begins to start.
        again = now.get("InvocationID") != before[name].get("InvocationID")
        return again or (verb == "start" and now.get("ActiveState") in ("active", "activating"))

    run(["systemctl", verb, "--no-block", "--", *names], check=False)
    deadline = time.monotonic() + BEGIN_SECONDS
    while time.monotonic() < deadline and not all(begun(name, now) for name, now in show_units(names).items()):
        time.sleep(0.05)


def wait_for_minutes(names, order):
    """Until what is restarted will be there for some part of each minute that it must not miss."""
    for name in names:
        never_down = order.get(name, {}).get("never_down")
        while never_down and (pause := seconds_to_wait(container_minute(name), never_down)):
            time.sleep(pause)


def container_minute(name):
    """Seconds since the full hour, in the container's own time zone; None where it cannot say."""
    done = run(["docker", "exec", name.rsplit(".", 1)[0], "date", "+%M %S"], check=False)
    try:
        minute, second = done.stdout.split()
        return int(minute) * 60 + int(second)
    except ValueError:
        return None


def seconds_to_wait(now, never_down):
    """Zero where a stop now and a start C(seconds) later leave some part of each minute."""
    if now is None:
        return 0
    pauses = [0]
    for minute in never_down["minutes"]:
        ahead, behind = (minute * 60 - now) % HOUR, (now - minute * 60) % HOUR
        if ahead + 60 <= never_down["seconds"]:
            pauses.append(ahead + TICK)
        elif behind < TICK:
            pauses.append(TICK - behind)
    return max(pauses)


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


def wait_for(module, names):
    if names:
        run(["systemctl", "start", "--", *names], check=False)
    problems = failures(names)
    if problems:
        module.fail_json(msg="\n".join(problems), units={})


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


def write_record(record):
    os.makedirs(os.path.dirname(record["path"]), mode=0o750, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=os.path.dirname(record["path"]), prefix=".new-")
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        json.dump(record["content"], file, sort_keys=True)
    os.chmod(temporary, 0o640)
    os.replace(temporary, record["path"])


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
    """The file with another content, at once and with the same owner and mode."""
    was = os.stat(path)
    handle, temporary = tempfile.mkstemp(dir=os.path.dirname(path), prefix=".new-")
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.write(text)
    os.chown(temporary, was.st_uid, was.st_gid)
    os.chmod(temporary, was.st_mode & 0o7777)
    os.replace(temporary, path)


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
    operation, order, steps = (module.params[name] for name in ("operation", "order", "steps"))
    units = {name: {"image": image} for name, image in module.params["units"].items()}
    changes, warnings = {}, []
    try:
        if operation == "step":
            changes = {name: {"action": "run", "reasons": []} for name in units}
            if not module.check_mode:
                changes = run_step(module, *steps, module.params["patience"], module.params["begun"])
            module.exit_json(changed=True, units=changes, begun={}, said=[])
        if operation == "waiting":
            found = waiting_for(module.params["leftovers"], module.params["patience"])
            module.exit_json(changed=False, units={}, waiting=found)
        docker = Docker()
        states = unit_states(units, docker)
        if operation == "converge":
            changes = wanted_changes(states)
            users = users_of(changes)
            off = [name for name, state in states.items() if state["loaded"] and not state["enabled"]]
            if not module.check_mode:
                if any(state["needs_reload"] for state in states.values()):
                    run(["systemctl", "daemon-reload"])
                if off:
                    run(["systemctl", "enable", "--quiet", "--", *off])
                end_processes([name for name, state in states.items() if UNKNOWN_START in state["stale"]], docker)
                if changes or steps:
                    calls = [lambda step=step: changes.update(run_step(module, step)) for step in steps]
                    start(module, *split(changes), order, calls)
                    warnings = wait_for_users(sorted(users))
            changes.update(users)
            for name in off:
                changes.setdefault(name, {"action": "enable", "reasons": ["it would not come up at boot"]})
        elif operation == "restart":
            changes = {name: {"action": "restart", "reasons": ["you asked for it"]} for name in states}
            users = users_of(changes)
            if changes and not module.check_mode:
                start(module, [], sorted(changes), order)
                warnings = wait_for_users(sorted(users))
            changes.update(users)
        else:
            changes = {
                name: {"action": "stop", "reasons": ["you asked for it"]}
                for name, state in states.items()
                if state["state"].split("/")[0] in ("active", "activating", "reloading")
            }
            if changes and not module.check_mode:
                for names in by_rank(changes, order, first_stopped=True):
                    run(["systemctl", "stop", "--", *names])
    except EngineError as error:
        module.fail_json(msg=str(error), units=changes)
    module.exit_json(changed=bool(changes), units=changes, warnings=warnings)


if __name__ == "__main__":
    main()
