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
      Directories whose regular files are reported with checksum, mode and owner, four levels deep. Directories named
      C(data), C(run) or C(ssl) hold data and are not entered.
    type: list
    elements: path
    default: []
  digest_key:
    description: Key of the checksums of files, so that they say nothing about what the files hold.
    type: str
    required: true
  postgres_data_path:
    description: Data directory of Postgres, to read the major version in it.
    type: path
  records_path:
    description: Directory with the records of one-shot steps that succeeded.
    type: path
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
    C(distribution), C(version), C(architecture) (amd64, arm64, arm32 or the kernel's name), C(memory_kb), C(disk)
    (free bytes of the base path's file system), C(machine), C(user) (C(uid), C(gid) or empty), C(docker)
    (C(installed), C(running), C(version)), C(images), C(networks), C(units), C(files), C(records),
    C(postgres_major), C(listening), C(time_synchronised), C(python_apt).
  returned: always
  type: dict
"""

import grp
import importlib.util
import json
import os
import platform
import pwd
import shutil
import stat

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.selfhosting.lago.plugins.module_utils.engine import (
    Docker,
    database_system,
    docker_is_running,
    keyed_digest,
    managed_units,
    run,
    unit_states,
)

ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64", "armv7l": "arm32", "armv6l": "arm32"}
DATA_DIRECTORIES = {"data", "run", "ssl"}
# Configuration files are small; whatever is larger was not written by us.
LARGEST_FILE = 1024 * 1024
DEPTH = 4


def os_release():
    values = {}
    for path in ("/etc/os-release", "/usr/lib/os-release"):
        try:
            with open(path, encoding="utf-8") as file:
                for line in file:
                    key, equals, value = line.strip().partition("=")
                    if equals:
                        values[key] = value.strip("'\"")
            break
        except OSError:
            continue
    return values


def memory_kb():
    with open("/proc/meminfo", encoding="ascii") as file:
        for line in file:
            if line.startswith("MemTotal:"):
                return int(line.split()[1])
    return 0


def read_line(path):
    try:
        with open(path, encoding="utf-8") as file:
            return file.readline().strip()
    except OSError:
        return ""


def user_ids(user_name, group_name):
    try:
        user = pwd.getpwnam(user_name)
        group = grp.getgrnam(group_name)
    except KeyError:
        return {"uid": "", "gid": "", "exists": False}
    return {
        "uid": str(user.pw_uid),
        "gid": str(group.gr_gid),
        "exists": True,
        "home": user.pw_dir,
        "shell": user.pw_shell,
    }


def name_of(database, number):
    try:
        return database(number)[0]
    except KeyError:
        return str(number)


def describe(path, key):
    status = os.lstat(path)
    entry = {
        "mode": format(stat.S_IMODE(status.st_mode), "04o"),
        "owner": name_of(pwd.getpwuid, status.st_uid),
        "group": name_of(grp.getgrgid, status.st_gid),
        "kind": "directory" if stat.S_ISDIR(status.st_mode) else "file" if stat.S_ISREG(status.st_mode) else "other",
    }
    if entry["kind"] == "file" and status.st_size <= LARGEST_FILE:
        with open(path, "rb") as file:
            entry["digest"] = keyed_digest(key, file.read())
    return entry


def walk(root, key, depth=0):
    """Directories and files below a root, without the content of data directories."""
    if not os.path.isdir(root) or os.path.islink(root):
        return {}
    found = {root: describe(root, key)}
    for name in sorted(os.listdir(root)):
        path = os.path.join(root, name)
        if os.path.isdir(path) and not os.path.islink(path):
            if name in DATA_DIRECTORIES or depth >= DEPTH:
                found[path] = describe(path, key)
            else:
                found.update(walk(path, key, depth + 1))
        else:
            found[path] = describe(path, key)
    return found


def listening():
    """Ports in state LISTEN (0A in /proc/net/tcp), TCP over IPv4 and IPv6."""
    ports = set()
    for path in ("/proc/net/tcp", "/proc/net/tcp6"):
        try:
            with open(path, encoding="ascii") as file:
                for line in file.readlines()[1:]:
                    fields = line.split()
                    if fields[3] == "0A":
                        ports.add(int(fields[1].rsplit(":", 1)[1], 16))
        except OSError:
            continue
    return sorted(ports)


def free_bytes(path):
    while path and not os.path.exists(path):
        path = os.path.dirname(path)
    status = os.statvfs(path or "/")
    return status.f_bavail * status.f_frsize


def records(path):
    found = {}
    if path and os.path.isdir(path):
        for name in os.listdir(path):
            if name.endswith(".json"):
                try:
                    with open(os.path.join(path, name), encoding="utf-8") as file:
                        found[name[: -len(".json")]] = json.load(file)
                except (OSError, ValueError):
                    continue
    return found


def main():
    module = AnsibleModule(
        argument_spec={
            "user_name": {"type": "str", "required": True},
            "group_name": {"type": "str", "required": True},
            "config_paths": {"type": "list", "elements": "path", "default": []},
            "digest_key": {"type": "str", "required": True, "no_log": True},
            "postgres_data_path": {"type": "path"},
            "records_path": {"type": "path"},
        },
        supports_check_mode=True,
    )
    parameters = module.params
    release = os_release()
    docker = Docker()
    installed = shutil.which("docker") is not None
    running = installed and docker_is_running()
    units = managed_units()
    version = docker.get("/version") if running else None
    files = {}
    for root in parameters["config_paths"]:
        files.update(walk(root, parameters["digest_key"]))
    for name in units:
        path = f"/etc/systemd/system/{name}"
        files[path] = describe(path, parameters["digest_key"])
    states = (
        unit_states(units, docker)
        if running
        else {name: {"active": False, "enabled": False, "stale": [], "state": ""} for name in units}
    )
    for name, state in states.items():
        state.update(units[name])
    module.exit_json(
        changed=False,
        server={
            "distribution": release.get("ID", ""),
            "version": release.get("VERSION_ID", ""),
            "codename": release.get("VERSION_CODENAME", ""),
            "architecture": ARCHITECTURES.get(platform.machine(), platform.machine()),
            "memory_kb": memory_kb(),
            "disk_free_bytes": free_bytes((parameters["config_paths"] or ["/"])[0]),
            # Clones may share the first; containers share the second.
            "machine": f"{read_line('/etc/machine-id')}/{read_line('/proc/sys/kernel/random/boot_id')}",
            "user": user_ids(parameters["user_name"], parameters["group_name"]),
            "docker": {
                "installed": installed,
                "running": running,
                "version": (version or {}).get("Version", ""),
            },
            "images": docker.image_ids() if running else {},
            "networks": sorted(docker.networks()) if running else [],
            "units": states,
            "files": files,
            "records": records(parameters["records_path"]),
            "postgres_major": read_line(os.path.join(parameters["postgres_data_path"] or "/nonexistent", "PG_VERSION")),
            "postgres_database": database_system(parameters["postgres_data_path"]),
            "listening": listening(),
            "time_synchronised": time_synchronised(),
            "python_apt": importlib.util.find_spec("apt") is not None,
        },
    )


def time_synchronised():
    """Whether any time service is installed and wanted; a container has none of its own and need not."""
    done = run(["systemctl", "is-enabled", "systemd-timesyncd", "chrony", "ntpsec", "ntp", "openntpd"], check=False)
    return "enabled" in done.stdout.split()


if __name__ == "__main__":
    main()
