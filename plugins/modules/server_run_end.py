#!/usr/bin/python
# SPDX-FileCopyrightText: 2026 The selfhosting.lago authors
# SPDX-License-Identifier: AGPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: server_run_end
short_description: Give a server's lease back, log the run, and remove images that are too old
description:
  - Appends one line of JSON to C(/var/log/selfhosting-lago/runs.jsonl).
  - Of images that units of this collection had, those of the last O(keep) versions stay, and all that are in use.
    Images that no such unit ever named are never touched.
options:
  versions:
    description: Which versions the server has now, by service.
    type: dict
    default: {}
  outcome:
    description: How the run ended. After one that failed all images stay.
    type: str
    choices: [done, failed]
    default: done
  keep:
    description: How many versions of an image are kept.
    type: int
    default: 2
extends_documentation_fragment: [selfhosting.lago.lease]
author: The selfhosting.lago authors
"""

EXAMPLES = r"""
- name: End the run
  selfhosting.lago.server_run_end:
    lease: {id: 5f0c, serial: 12, who: me@laptop, commit: 8402b1f, host: lago.example.com}
    versions: {lago: v1.52.1}
"""

RETURN = r"""
images:
  description: References of the images that were removed.
  returned: always
  type: list
  elements: str
logged:
  description: Whether the run had the lease, and has a line in the log now.
  returned: always
  type: bool
"""

import json
import os

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.selfhosting.lago.plugins.module_utils import lease
from ansible_collections.selfhosting.lago.plugins.module_utils.engine import (
    Docker,
    EngineError,
    docker_is_running,
    managed_units,
    normal_reference,
    run,
)


def repository(reference):
    """What a reference names, without tag or digest."""
    name, digest, _rest = normal_reference(reference).partition("@")
    return name if digest else name.rpartition(":")[0]


def history():
    try:
        with open(os.path.join(lease.STATE, "images.json"), encoding="utf-8") as file:
            return json.load(file)
    except (OSError, ValueError):
        return []


def too_old(before, current, keep):
    """All references, the youngest last, and those of them that are too old."""
    known = [one for one in before if one not in current] + sorted(current)
    found = []
    for reference in known:
        same = [one for one in known if repository(one) == repository(reference)]
        if reference not in current and reference not in same[-keep:]:
            found.append(reference)
    return known, found


def remove_images(keep):
    current = {unit["image"] for unit in managed_units().values() if unit["image"]}
    known, old = too_old(history(), current, keep)
    there, removed = Docker().image_ids(), []
    for reference in old:
        # Docker refuses where a container has it; then it is somebody's.
        if (
            normal_reference(reference) in there
            and not run(["docker", "image", "rm", reference], check=False).returncode
        ):
            removed.append(reference)
    os.makedirs(lease.STATE, mode=0o700, exist_ok=True)
    with open(os.path.join(lease.STATE, "images.json"), "w", encoding="utf-8") as file:
        json.dump([reference for reference in known if reference not in old], file)
    return removed


def main():
    module = AnsibleModule(
        argument_spec={
            "lease": lease.OPTIONS,
            "versions": {"type": "dict", "default": {}},
            "outcome": {"type": "str", "choices": ["done", "failed"], "default": "done"},
            "keep": {"type": "int", "default": 2},
        }
    )
    outcome = module.params["outcome"]
    try:
        removed = remove_images(module.params["keep"]) if outcome == "done" and docker_is_running() else []
    except EngineError as error:
        module.fail_json(msg=str(error))
    versions = {name: version for name, version in module.params["versions"].items() if version}
    logged = lease.end(module.params["lease"], outcome, versions=versions, images_removed=removed)
    module.exit_json(changed=True, images=removed, logged=logged)


if __name__ == "__main__":
    main()
