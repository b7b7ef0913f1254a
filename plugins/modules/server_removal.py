#!/usr/bin/python
# SPDX-FileCopyrightText: 2026 The selfhosting.lago authors
# SPDX-License-Identifier: AGPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: server_removal
short_description: Remove units and their containers, and what nobody else needs of their networks and images
description:
  - Stops and disables all units together, in the order of their own dependencies, and removes their containers.
  - A network goes when no other container, running or not, is attached to it and no other unit names it; an image when
    no other container is made from it and no other unit names it.
  - Data is not touched unless C(data) names it. The unit files go last, so that a call that died is completed by the
    next.
options:
  units:
    description: Names of the units.
    type: list
    elements: str
    required: true
  networks:
    description: Networks of these units.
    type: list
    elements: str
    default: []
  images:
    description: References of these units' images.
    type: list
    elements: str
    default: []
  files:
    description: Files of theirs in directories of other services, which would go on reading them.
    type: list
    elements: path
    default: []
  data:
    description: Files and directories with data, to be deleted as well.
    type: list
    elements: path
    default: []
  announce:
    description: Say what would be removed and remove nothing, as in check mode.
    type: bool
    default: false
extends_documentation_fragment: [selfhosting.lago.lease]
author: The selfhosting.lago authors
"""

EXAMPLES = r"""
- name: Remove Valkey
  selfhosting.lago.server_removal:
    units: [mash-valkey.service]
    networks: [mash-valkey]
    images: [docker.io/valkey/valkey:9.1.1-alpine]
"""

RETURN = r"""
units:
  description: The units that were removed, each with action and reasons.
  returned: always
  type: dict
networks:
  description: Networks that were removed.
  returned: always
  type: list
images:
  description: Images that were removed.
  returned: always
  type: list
files:
  description: Files that were removed.
  returned: always
  type: list
data:
  description: Data that was deleted.
  returned: always
  type: list
"""

import os
import shutil

from ansible_collections.selfhosting.lago.plugins.module_utils.engine import (
    UNIT_DIRECTORY,
    Docker,
    EngineError,
    docker_is_running,
    run,
    show_units,
)
from ansible_collections.selfhosting.lago.plugins.module_utils.lease import LeasedModule
from ansible_collections.selfhosting.lago.plugins.module_utils.removal import (
    other_containers,
    other_units,
    unused_images,
    unused_networks,
)


def there(units):
    """Units that systemd knows or that have a file."""
    return [
        name
        for name, properties in show_units(sorted(units)).items()
        if properties.get("LoadState") == "loaded" or os.path.exists(os.path.join(UNIT_DIRECTORY, name))
    ]


def look(parameters):
    """What of all this would go."""
    units = there(parameters["units"])
    found = {kind: [path for path in parameters[kind] if os.path.lexists(path)] for kind in ("files", "data")}
    found.update({"units": units, "networks": [], "images": []})
    if docker_is_running():
        docker, text = Docker(), other_units(units)
        containers = other_containers(docker.containers(), units)
        found["networks"] = unused_networks(parameters["networks"], docker.networks(), containers, text)
        found["images"] = unused_images(parameters["images"], docker.image_ids(), containers, text)
    return found


def remove(found):
    units = found["units"]
    if units:
        run(["systemctl", "disable", "--now", "--", *units], check=False)
    if docker_is_running():
        containers = [name.rsplit(".", 1)[0] for name in units if name.endswith(".service")]
        if containers:
            # Says of each that is not there that it is not there.
            run(["docker", "rm", "--force", *containers], check=False)
        for name in found["networks"]:
            run(["docker", "network", "rm", name])
        for reference in found["images"]:
            run(["docker", "image", "rm", reference])
    for path in found["data"]:
        if os.path.isdir(path) and not os.path.islink(path):
            shutil.rmtree(path)
    for path in [*found["files"], *found["data"], *(os.path.join(UNIT_DIRECTORY, name) for name in units)]:
        if os.path.lexists(path):
            os.unlink(path)
    if units:
        run(["systemctl", "daemon-reload"])
        run(["systemctl", "reset-failed", "--", *units], check=False)


def main():
    names = {"type": "list", "elements": "str", "default": []}
    module = LeasedModule(
        argument_spec={
            "units": {"type": "list", "elements": "str", "required": True},
            "networks": names,
            "images": names,
            "files": {"type": "list", "elements": "path", "default": []},
            "data": {"type": "list", "elements": "path", "default": []},
            "announce": {"type": "bool", "default": False},
        },
        supports_check_mode=True,
    )
    try:
        found = look(module.params)
        changed = any(found.values())
        if changed and not module.check_mode and not module.params["announce"]:
            remove(found)
    except (EngineError, OSError) as error:
        module.fail_json(msg=str(error))
    units = {name: {"action": "remove", "reasons": ["nothing asks for it any more"]} for name in found["units"]}
    module.exit_json(changed=changed, **{**found, "units": units})


if __name__ == "__main__":
    main()
