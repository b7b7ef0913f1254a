#!/usr/bin/python
# SPDX-FileCopyrightText: 2026 The selfhosting.lago authors
# SPDX-License-Identifier: AGPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: server_probe
short_description: Everything that a plan needs to know of a server, in one call
description:
  - Reads and changes nothing. One call instead of facts, package facts, service facts and a look at each file.
  - A Docker that is stopped is not asked, so that its socket does not start it.
  - Asks nobody on the network. The action of the same name compares the server's time with the controller's.
options:
  user_name:
    description: System user that owns the services' files (C(mash_playbook_user_name)).
    type: str
    required: true
  group_name:
    description: Group of that user.
    type: str
    required: true
  config_paths:
    description: >-
      Files, and directories whose regular files are reported with checksum, mode and owner, four levels deep.
      Directories named C(data), C(run) or C(ssl) hold data and are not entered.
    type: list
    elements: path
    default: []
  wait_seconds:
    description: >-
      How long to wait for another run that changes the server. The action of the same name does that; it looks again
      and again.
    type: int
    default: 0
  digest_key:
    description: Key of the checksums of files, so that they say nothing about what the files hold.
    type: str
    required: true
  postgres_data_path:
    description: Data directory of Postgres, to read the major version in it.
    type: path
  valkey_config_file:
    description: Configuration of Valkey, to see how it keeps its data.
    type: path
  programs:
    description: Programs to look for on the server's path.
    type: list
    elements: str
    default: []
  records_path:
    description: Directory with the records of one-shot steps that succeeded.
    type: path
  leaving:
    description: Containers that are stopped before anything is started, so that their ports are free by then.
    type: list
    elements: str
    default: []
  identifier:
    description: What the units of the playbook begin with (C(mash_playbook_identifier)).
    type: str
    default: mash
  lago:
    description: Where Lago is, to tell which release is there and whether its keys are the same.
    type: dict
    default: {}
    suboptions:
      api: {description: Name of the API's container., type: str}
      migrate: {description: Name of the migration's record., type: str}
      keys: {description: Name of the record with the fingerprints of its keys., type: str}
      environment_path: {description: Environment file of its processes., type: path}
      database: {description: Name of its database., type: str}
      landmarks: {description: Migrations that say how new a database is., type: list, elements: str, default: []}
      ask_for_users: {description: Whether to ask if anybody can log in., type: bool, default: false}
  postgres:
    description: The container and the superuser of Postgres, asked for its databases where MASH started it.
    type: dict
    default: {}
    suboptions:
      container: {description: Name of the container., type: str}
      user: {description: Name of the superuser., type: str}
  traefik_config_path:
    description: Traefik's configuration file, read for its entry points where MASH wrote it.
    type: path
  host_names:
    description: Names for which containers are also searched by their aliases.
    type: list
    elements: str
    default: []
author: The selfhosting.lago authors
"""

EXAMPLES = r"""
- name: Look at the server
  selfhosting.lago.server_probe:
    user_name: mash
    group_name: mash
    digest_key: "{{ selfhosting_digest_key }}"
    config_paths: [/mash/lago]
"""

RETURN = r"""
server:
  description: >-
    C(distribution), C(like) (what it is made from), C(version), C(architecture) (amd64, arm64, arm32 or the kernel's
    name), C(memory_kb), C(disk_free_bytes) (of the base path's file system), C(machine), C(container) (what kind of one
    the server is, such as lxc), C(nesting), C(selinux), C(addresses), C(clock_ahead_seconds), C(user) (C(uid), C(gid)
    or empty), C(docker) (C(installed), C(kind), C(state), C(running), C(answers), C(version), C(disk_free_bytes)),
    C(images), C(networks), C(containers) (each with its networks), C(units), C(files), C(records), C(claims) (what
    products recorded to own, of all inventory hosts of the server), C(running_containers), C(postgres_major),
    C(valkey_persistence), C(listeners) (address, port as in C(443/udp), and who listens there), C(time_synchronised),
    C(python_apt), C(python_docker), C(programs) (those that are there),
    C(lago) (C(version), C(schema), C(has_users), none where it was not asked or its database is not up here, and keyed
    checksums of its C(environment) as long as no fingerprints of its keys are recorded; C(database), the C(target) that
    it connects to and a keyed checksum of the whole C(url)), C(foreign) (what this
    collection did not write; C(units), and where there are any C(containers), C(databases), C(entry_points)).
  returned: always
  type: dict
"""

import importlib.util
import os
import platform
import shutil
import time

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.selfhosting.lago.plugins.module_utils import file_states, lease, machine, sockets, takeover
from ansible_collections.selfhosting.lago.plugins.module_utils.engine import (
    Docker,
    claims,
    database_system,
    json_files,
    managed_units,
    show_units,
    unit_states,
)


def running_containers(docker):
    return sorted(name for name, seen in docker.containers().items() if seen["state"] == "running")


def valkey_persistence(path):
    """How the Valkey that is installed keeps its data; empty where none is."""
    try:
        with open(path or "/nonexistent", encoding="utf-8") as file:
            return "append-only" if "appendonly yes" in file.read().splitlines() else "snapshots"
    except OSError:
        return ""


def reachable(docker, host_names):
    """All containers with their networks, and of the names that were asked for those that lead to one all the same."""
    found = {
        name: {"networks": container["networks"], "running": container["state"] == "running"}
        for name, container in docker.containers().items()
    }
    # Names with a dot are somewhere else, and so are addresses.
    unknown = [name for name in host_names if name not in found and not set(".:") & set(name)]
    aliases = docker.aliases(list(found)) if unknown else {}
    found.update({name: {"networks": aliases[name], "running": False} for name in unknown if name in aliases})
    return found


def keep_running_dependents(states):
    """Leave in `needed_by` what runs, also of units that are not ours."""
    others = {unit for state in states.values() for unit in state.get("needed_by", [])} - set(states)
    running = {name for name, state in states.items() if state["active"]}
    running |= {name for name, shown in show_units(sorted(others)).items() if shown.get("ActiveState") == "active"}
    for state in states.values():
        state["needed_by"] = [unit for unit in state.get("needed_by", []) if unit in running]


def main():
    module = AnsibleModule(
        argument_spec={
            "user_name": {"type": "str", "required": True},
            "group_name": {"type": "str", "required": True},
            "config_paths": {"type": "list", "elements": "path", "default": []},
            "wait_seconds": {"type": "int", "default": 0},
            "digest_key": {"type": "str", "required": True, "no_log": True},
            "postgres_data_path": {"type": "path"},
            "valkey_config_file": {"type": "path"},
            "programs": {"type": "list", "elements": "str", "default": []},
            "records_path": {"type": "path"},
            "leaving": {"type": "list", "elements": "str", "default": []},
            "identifier": {"type": "str", "default": "mash"},
            "lago": {
                "type": "dict",
                "default": {},
                "options": {
                    "api": {"type": "str"},
                    "migrate": {"type": "str"},
                    "keys": {"type": "str", "no_log": False},
                    "environment_path": {"type": "path"},
                    "database": {"type": "str"},
                    "landmarks": {"type": "list", "elements": "str", "default": []},
                    "ask_for_users": {"type": "bool", "default": False},
                },
            },
            "postgres": {
                "type": "dict",
                "default": {},
                "options": {"container": {"type": "str"}, "user": {"type": "str"}},
            },
            "traefik_config_path": {"type": "path"},
            "host_names": {"type": "list", "elements": "str", "default": []},
        },
        supports_check_mode=True,
    )
    parameters = module.params
    release = machine.os_release()
    docker = Docker()
    program = shutil.which("docker")
    docker_unit = show_units(["docker.service"]).get("docker.service", {})
    running = program is not None and docker_unit.get("ActiveState") == "active"
    units = managed_units()
    version = docker.get("/version") if running else None
    files = {}
    for root in parameters["config_paths"]:
        files.update(file_states.walk(root, parameters["digest_key"]))
    for name in units:
        path = f"/etc/systemd/system/{name}"
        files[path] = file_states.describe(path, parameters["digest_key"])
    states = (
        unit_states(units, docker)
        if running
        else {name: {"active": False, "enabled": False, "stale": [], "state": ""} for name in units}
    )
    for name, state in states.items():
        state.update(units[name])
    recorded = json_files(parameters["records_path"]) if parameters["records_path"] else {}
    stranger = takeover.foreign(parameters, docker, running)
    keep_running_dependents(states)
    module.exit_json(
        changed=False,
        server={
            "distribution": release.get("ID", ""),
            "like": release.get("ID_LIKE", ""),
            "version": release.get("VERSION_ID", ""),
            "codename": release.get("VERSION_CODENAME", ""),
            "architecture": machine.ARCHITECTURES.get(platform.machine(), platform.machine()),
            "memory_kb": machine.memory_kb(),
            "disk_free_bytes": machine.free_bytes((parameters["config_paths"] or ["/"])[0]),
            # Clones may share the first; containers share the second.
            "lease": lease.seen(),
            "machine": f"{machine.read_line('/etc/machine-id')}/{machine.read_line('/proc/sys/kernel/random/boot_id')}",
            "user": machine.user_ids(parameters["user_name"], parameters["group_name"]),
            # Written by systemd where the server is a container; nesting as LXC does it, or without a profile at all.
            "container": machine.read_line("/run/systemd/container"),
            "nesting": os.path.exists("/dev/.lxc")
            or machine.read_line("/proc/self/attr/current").startswith("unconfined"),
            "selinux": "enforcing" if machine.read_line("/sys/fs/selinux/enforce") == "1" else "",
            "addresses": sockets.addresses(),
            "time": time.time(),
            "docker": {
                "installed": program is not None,
                "kind": machine.docker_kind(program, docker_unit),
                "state": docker_unit.get("ActiveState", ""),
                "running": running,
                "answers": version is not None,
                "version": (version or {}).get("Version", ""),
                "disk_free_bytes": machine.free_bytes(machine.docker_directory()),
            },
            "images": docker.image_ids() if running else {},
            "networks": sorted(docker.networks()) if running else [],
            "running_containers": running_containers(docker) if running else [],
            "containers": reachable(docker, parameters["host_names"]) if running else {},
            "units": states,
            "files": files,
            "records": recorded,
            "foreign": stranger,
            "lago": takeover.lago(parameters, docker, running, units, stranger, recorded),
            "claims": claims({unit["engine_path"] for unit in units.values() if "engine_path" in unit}),
            "postgres_major": machine.read_line(
                os.path.join(parameters["postgres_data_path"] or "/nonexistent", "PG_VERSION")
            ),
            "postgres_database": database_system(parameters["postgres_data_path"]),
            "valkey_persistence": valkey_persistence(parameters["valkey_config_file"]),
            "listeners": sockets.listeners(
                sockets.listening_sockets(), docker.containers() if running else {}, parameters["leaving"]
            ),
            "time_synchronised": machine.time_synchronised(),
            "python_apt": importlib.util.find_spec("apt") is not None,
            "python_docker": importlib.util.find_spec("docker") is not None,
            "programs": [name for name in parameters["programs"] if shutil.which(name)],
        },
    )


if __name__ == "__main__":
    main()
