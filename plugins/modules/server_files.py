#!/usr/bin/python
# SPDX-FileCopyrightText: 2026 The selfhosting.lago authors
# SPDX-License-Identifier: AGPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: server_files
short_description: Networks, directories and files of many services, in one call
description:
  - Compares first, then writes each file beside its place and renames it, so that no reader ever sees half of it.
  - Reloads systemd once where a unit file changed.
  - The content of a file that holds secrets is never part of a result, a diff or the server's own log.
options:
  networks:
    description: Docker networks that have to exist. One that is there is left as it is.
    type: list
    elements: dict
    default: []
    suboptions:
      name: {description: Name of the network., type: str, required: true}
      internal: {description: Without a way out of the server., type: bool, default: false}
      ipv6: {description: With IPv6., type: bool, default: false}
  directories:
    description: Directories, parents before children.
    type: list
    elements: dict
    default: []
    suboptions:
      path: {description: Absolute path., type: path, required: true}
      owner: {description: Name or number of the owner., type: str, default: root}
      group: {description: Name or number of the group., type: str, default: root}
      mode: {description: Mode in octal., type: str, default: "0750"}
  files:
    description: Files with their content.
    type: list
    elements: dict
    default: []
    suboptions:
      path: {description: Absolute path., type: path, required: true}
      content: {description: The whole content; of a file that holds secrets it stands in C(secrets)., type: str}
      source: {description: "A file on the server that has the content; it may hold secrets.", type: path}
      owner: {description: Name or number of the owner., type: str, default: root}
      group: {description: Name or number of the group., type: str, default: root}
      mode: {description: Mode in octal., type: str, default: "0640"}
  secrets:
    description: >-
      Path to content of those files that hold secrets. A module logs what it is called with on the server and masks
      parameters as a whole, not what is inside of them; so these stand in one of their own.
    type: dict
    default: {}
  absent:
    description: Files to remove.
    type: list
    elements: path
    default: []
extends_documentation_fragment: [selfhosting.lago.lease]
author: The selfhosting.lago authors
"""

EXAMPLES = r"""
- name: Write the environment of a service
  selfhosting.lago.server_files:
    directories:
      - {path: /mash/valkey, owner: mash, group: mash}
    files:
      - {path: /mash/valkey/env, owner: mash, group: mash}
    secrets:
      /mash/valkey/env: "TZ=UTC\n"
"""

RETURN = r"""
networks:
  description: Names of the networks that were made.
  returned: always
  type: list
directories:
  description: Directories that were made, or whose owner or mode was set.
  returned: always
  type: list
files:
  description: Files that were written, or whose owner or mode was set.
  returned: always
  type: list
removed:
  description: Files that were removed.
  returned: always
  type: list
"""

import grp
import hashlib
import os
import pwd
import stat
import tempfile

from ansible_collections.selfhosting.lago.plugins.module_utils.engine import (
    UNIT_DIRECTORY,
    Docker,
    EngineError,
    run,
)
from ansible_collections.selfhosting.lago.plugins.module_utils.lease import LeasedModule


def number_of(database, name):
    return int(name) if str(name).isdigit() else database(name)[2]


def same_owner_and_mode(path, entry):
    status = os.lstat(path)
    try:
        owner, group = number_of(pwd.getpwnam, entry["owner"]), number_of(grp.getgrnam, entry["group"])
    except KeyError:
        # The run that is being checked would make the user first.
        return False
    return (stat.S_IMODE(status.st_mode), status.st_uid, status.st_gid) == (int(entry["mode"], 8), owner, group)


def set_owner_and_mode(path, entry):
    os.chown(path, number_of(pwd.getpwnam, entry["owner"]), number_of(grp.getgrnam, entry["group"]))
    os.chmod(path, int(entry["mode"], 8))


def make_directory(entry, change):
    path = entry["path"]
    if os.path.isdir(path) and same_owner_and_mode(path, entry):
        return False
    if change:
        os.makedirs(path, exist_ok=True)
        set_owner_and_mode(path, entry)
    return True


def current_content(path):
    try:
        with open(path, encoding="utf-8", errors="surrogateescape", newline="") as file:
            return file.read()
    except FileNotFoundError:
        return None


def write_file(entry, change):
    path, content = entry["path"], entry["content"]
    if current_content(path) == content:
        if same_owner_and_mode(path, entry):
            return False
        if change:
            set_owner_and_mode(path, entry)
        return True
    if change:
        # Same directory, so that the rename is atomic; mkstemp makes it readable by root alone until the owner is set.
        handle, temporary = tempfile.mkstemp(dir=os.path.dirname(path), prefix=".new-")
        try:
            with os.fdopen(handle, "w", encoding="utf-8", errors="surrogateescape", newline="") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            set_owner_and_mode(temporary, entry)
            os.replace(temporary, path)
        except BaseException:
            os.unlink(temporary)
            raise
    return True


def difference(entry, before):
    header = entry["path"]
    if entry["secret"]:
        return {"before_header": header, "after_header": header, "before": "", "after": "(holds secrets, not shown)\n"}
    return {"before_header": header, "after_header": header, "before": before or "", "after": entry["content"]}


def unique_local_subnet(name):
    """A /64 below fd00::/8, the same for the same name: Docker before version 27 does not choose one by itself."""
    digits = hashlib.sha256(name.encode()).hexdigest()[:14]
    return f"fd{digits[:2]}:{digits[2:6]}:{digits[6:10]}:{digits[10:14]}::/64"


def make_network(network):
    command = ["docker", "network", "create", "--driver=bridge"]
    if network["internal"]:
        command.append("--internal")
    if network["ipv6"]:
        command += ["--ipv6", f"--subnet={unique_local_subnet(network['name'])}"]
    run([*command, network["name"]])


def main():
    owned = {
        "path": {"type": "path", "required": True},
        "owner": {"type": "str", "default": "root"},
        "group": {"type": "str", "default": "root"},
    }
    module = LeasedModule(
        argument_spec={
            "networks": {
                "type": "list",
                "elements": "dict",
                "default": [],
                "options": {
                    "name": {"type": "str", "required": True},
                    "internal": {"type": "bool", "default": False},
                    "ipv6": {"type": "bool", "default": False},
                },
            },
            "directories": {
                "type": "list",
                "elements": "dict",
                "default": [],
                "options": {**owned, "mode": {"type": "str", "default": "0750"}},
            },
            "files": {
                "type": "list",
                "elements": "dict",
                "default": [],
                "options": {
                    **owned,
                    "mode": {"type": "str", "default": "0640"},
                    "content": {"type": "str"},
                    "source": {"type": "path"},
                },
            },
            "secrets": {"type": "dict", "default": {}, "no_log": True},
            "absent": {"type": "list", "elements": "path", "default": []},
        },
        supports_check_mode=True,
    )
    change = not module.check_mode
    result = {"networks": [], "directories": [], "files": [], "removed": [], "diff": []}
    try:
        if module.params["networks"]:
            there = Docker().networks()
            for network in module.params["networks"]:
                if network["name"] not in there:
                    if change:
                        make_network(network)
                    result["networks"].append(network["name"])
        for entry in module.params["directories"]:
            if make_directory(entry, change):
                result["directories"].append(entry["path"])
        secrets = module.params["secrets"]
        for wanted in module.params["files"]:
            # A result holds the parameters as they are by then.
            entry = dict(wanted)
            entry["secret"] = bool(entry["path"] in secrets or entry["source"])
            if entry["secret"]:
                source = entry["source"]
                entry["content"] = current_content(source) if source else secrets[entry["path"]]
            if entry["content"] is None:
                raise FileNotFoundError(f"{entry['source'] or entry['path']}: there is no content for it")
            before = None if entry["secret"] else current_content(entry["path"])
            if write_file(entry, change):
                result["files"].append(entry["path"])
                result["diff"].append(difference(entry, before))
        for path in module.params["absent"]:
            if os.path.lexists(path):
                if change:
                    os.unlink(path)
                result["removed"].append(path)
        if change and any(path.startswith(UNIT_DIRECTORY + "/") for path in result["files"] + result["removed"]):
            run(["systemctl", "daemon-reload"])
    except (EngineError, OSError, KeyError) as error:
        module.fail_json(
            msg=f"{type(error).__name__}: {error}",
            **{key: result[key] for key in ("networks", "directories", "files", "removed")},
        )
    changed = any(result[key] for key in ("networks", "directories", "files", "removed"))
    module.exit_json(changed=changed, **result)


if __name__ == "__main__":
    main()
