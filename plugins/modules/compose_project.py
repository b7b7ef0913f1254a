#!/usr/bin/python
# SPDX-FileCopyrightText: 2026 The selfhosting.lago authors
# SPDX-License-Identifier: AGPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: compose_project
short_description: Look at a compose project that runs Lago
description:
  - Reads the containers that Docker Compose made of a directory's files, its C(.env), the key in its volume, and how
    much there is to move. Changes nothing.
  - The answer holds secrets; tasks that call it have C(no_log).
options:
  directory:
    description: The project's directory, with its C(docker-compose.yml).
    type: path
    required: true
  target_path:
    description: Where the data is to go; how much is free there is returned.
    type: path
    required: true
  record_path:
    description: File in which an earlier adoption noted how far it came.
    type: path
    required: true
  unit:
    description: Unit of the Lago that this collection runs, which must not be there yet.
    type: str
    required: true
author: The selfhosting.lago authors
"""

EXAMPLES = r"""
- name: Look at the project
  selfhosting.lago.compose_project:
    directory: /opt/lago
    target_path: /mash
    record_path: /mash/selfhosting-lago/records/mash-lago-adopted.json
    unit: mash-lago-api.service
  no_log: true
  register: project
"""

RETURN = r"""
project:
  description: >-
    C(names) of the projects, C(directory), C(containers) by name, C(processes) (what of Lago runs in which of them),
    C(environment_file), C(rsa_key), C(postgres) (version, bytes, extensions), C(storage) (path, bytes, files),
    C(free), C(record), C(installed).
  returned: always
  type: dict
"""

import json
import os
import shutil
import stat

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.selfhosting.lago.plugins.module_utils import compose
from ansible_collections.selfhosting.lago.plugins.module_utils.engine import Docker, EngineError, managed_unit, run

POSTGRES = """
SELECT json_build_object('version', current_setting('server_version'), 'bytes', pg_database_size(current_database()),
                         'extensions', (SELECT json_agg(extname ORDER BY extname) FROM pg_extension))
"""


def read(path, mode="r"):
    try:
        with open(path, mode, **({} if "b" in mode else {"encoding": "utf-8", "errors": "replace"})) as file:
            return file.read()
    except OSError:
        return b"" if "b" in mode else ""


def record(path):
    try:
        return json.loads(read(path) or "{}")
    except ValueError:
        return {}


def measured(path):
    """Bytes and number of the files below a directory."""
    total, count = 0, 0
    for directory, _directories, files in os.walk(path or "/nonexistent"):
        for name in files:
            status = os.lstat(os.path.join(directory, name))
            if stat.S_ISREG(status.st_mode):
                total, count = total + status.st_size, count + 1
    return {"bytes": total, "files": count}


def postgres(containers, processes):
    """Nothing where it cannot be asked."""
    name = next(iter(processes.get("postgres", [])), "")
    if not name or not containers[name]["running"]:
        return {}
    target = compose.endpoint(containers[processes["api"][0]]["environment"]["DATABASE_URL"])
    command = ["docker", "exec", name, "psql", "--no-psqlrc", "--tuples-only", "--no-align"]
    command += [f"--username={target['username']}", f"--dbname={target['path']}", f"--command={POSTGRES}"]
    done = run(command, check=False)
    return {} if done.returncode else json.loads(done.stdout)


def existing(path):
    while not os.path.isdir(path):
        path = os.path.dirname(path)
    return path


def looked_at(parameters):
    docker = Docker()
    directory = os.path.realpath(parameters["directory"])
    project = {
        "directory": directory,
        "exists": os.path.isdir(directory),
        "record": record(parameters["record_path"]),
        "installed": bool(managed_unit(parameters["unit"])),
        "free": shutil.disk_usage(existing(parameters["target_path"])).free,
        "environment_file": compose.parse_env(read(os.path.join(directory, ".env"))),
    }
    ids, names = compose.of_project(docker.get("/containers/json?all=1") or [], directory)
    inspected = [one for one in map(docker.container, ids) if one]
    containers = {
        one["Name"].lstrip("/"): compose.described(one, docker.get(f"/images/{one['Image']}/json") or {})
        for one in inspected
    }
    processes = compose.processes(containers)
    api = containers[processes["api"][0]] if processes.get("api") else {"mounts": {}}
    keys = api["mounts"].get(compose.KEYS_PATH) or api["mounts"].get(f"{compose.KEYS_PATH}/private.pem", "")
    project.update(
        names=names,
        containers=containers,
        processes=processes,
        rsa_key=read(os.path.join(keys, "private.pem") if os.path.isdir(keys) else keys) if keys else "",
        postgres=postgres(containers, processes),
        storage={
            "path": api["mounts"].get(compose.STORAGE_PATH, ""),
            **measured(api["mounts"].get(compose.STORAGE_PATH)),
        },
    )
    return project


def main():
    module = AnsibleModule(
        argument_spec={
            "directory": {"type": "path", "required": True},
            "target_path": {"type": "path", "required": True},
            "record_path": {"type": "path", "required": True},
            "unit": {"type": "str", "required": True},
        },
        supports_check_mode=True,
    )
    try:
        project = looked_at(module.params)
    except (EngineError, OSError, ValueError) as error:
        module.fail_json(msg=f"{module.params['directory']} cannot be looked at: {error}")
    module.exit_json(changed=False, project=project)


if __name__ == "__main__":
    main()
