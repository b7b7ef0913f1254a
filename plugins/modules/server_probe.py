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
    C(valkey_persistence), C(listening), C(listeners) (address, port and who listens there), C(time_synchronised),
    C(python_apt), C(python_docker), C(programs) (those that are there),
    C(lago) (C(version), C(schema), C(has_users), none where it was not asked or its database is not up here, and keyed
    checksums of its C(environment) as long as no fingerprints of its keys are recorded; C(database), the C(target) that
    it connects to and a keyed checksum of the whole C(url)), C(foreign) (what this
    collection did not write; C(units), and where there are any C(containers), C(databases), C(entry_points)).
  returned: always
  type: dict
"""

import glob
import grp
import importlib.util
import ipaddress
import json
import os
import platform
import pwd
import shutil
import stat
import sys
import time

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.selfhosting.lago.plugins.module_utils import lease, takeover
from ansible_collections.selfhosting.lago.plugins.module_utils.engine import (
    Docker,
    claims,
    database_system,
    json_files,
    keyed_digest,
    managed_units,
    run,
    show_units,
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
    """Directories and files below a root, without the content of data directories; a file alone."""
    if os.path.isfile(root):
        return {root: describe(root, key)}
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


def address_of(text):
    """An address of /proc/net/tcp: words of four bytes, each in the order of the processor."""
    words = [bytes.fromhex(text[start : start + 8]) for start in range(0, len(text), 8)]
    return str(ipaddress.ip_address(b"".join(word[::-1] if sys.byteorder == "little" else word for word in words)))


def listening_sockets():
    """Inode to address and port of the sockets in state LISTEN (0A in /proc/net/tcp), TCP over IPv4 and IPv6."""
    sockets = {}
    for path in ("/proc/net/tcp", "/proc/net/tcp6"):
        try:
            with open(path, encoding="ascii") as file:
                for line in file.readlines()[1:]:
                    fields = line.split()
                    if fields[3] == "0A":
                        address, _colon, port = fields[1].rpartition(":")
                        sockets[fields[9]] = (address_of(address), int(port, 16))
        except OSError:
            continue
    return sockets


def listeners(sockets, containers):
    """Who listens: address, port, and a container or the name of a process; "" where none was found."""
    found = []
    for name, container in containers.items():
        found += [[address, port, f"container {name}"] for address, port in container["ports"]]
    published = {port for _address, port, _who in found}
    wanted = {f"socket:[{inode}]": place for inode, place in sockets.items() if place[1] not in published}
    # What listens for long was started early.
    for process in sorted((name for name in os.listdir("/proc") if name.isdigit()), key=int):
        if not wanted:
            break
        try:
            for descriptor in os.listdir(f"/proc/{process}/fd"):
                place = wanted.pop(os.readlink(f"/proc/{process}/fd/{descriptor}"), None)
                if place:
                    found.append([*place, f"process {read_line(f'/proc/{process}/comm')}"])
        except OSError:
            # It ended meanwhile.
            continue
    return found + [[*place, ""] for place in wanted.values()]


def addresses():
    """The server's own IP addresses, as the kernel lists them."""
    found = set()
    try:
        with open("/proc/net/fib_trie", encoding="ascii") as file:
            last = ""
            for line in file:
                if "/32 host LOCAL" in line:
                    found.add(last)
                elif "|-- " in line:
                    last = line.split("|-- ")[1].strip()
    except OSError:
        pass
    try:
        with open("/proc/net/if_inet6", encoding="ascii") as file:
            for line in file:
                found.add(str(ipaddress.ip_address(bytes.fromhex(line.split()[0]))))
    except OSError:
        pass
    return sorted(found)


def docker_kind(path, state):
    """docker, or what only has its name: podman (a script or a link), rootless (a daemon of some user's own)."""
    if not path:
        return ""
    if "podman" in os.path.basename(os.path.realpath(path)):
        return "podman"
    try:
        with open(path, "rb") as file:
            beginning = file.read(1024)
    except OSError:
        beginning = b""
    if beginning.startswith(b"#!") and b"podman" in beginning:
        return "podman"
    if state.get("LoadState") != "loaded" and glob.glob("/run/user/*/docker.sock"):
        return "rootless"
    return "docker"


def docker_directory():
    """Where Docker keeps images, without asking it."""
    try:
        with open("/etc/docker/daemon.json", encoding="utf-8") as file:
            return json.load(file).get("data-root") or "/var/lib/docker"
    except (OSError, ValueError, AttributeError):
        return "/var/lib/docker"


def running_containers(docker):
    return sorted(name for name, seen in docker.containers().items() if seen["state"] == "running")


def valkey_persistence(path):
    """How the Valkey that is installed keeps its data; empty where none is."""
    try:
        with open(path or "/nonexistent", encoding="utf-8") as file:
            return "append-only" if "appendonly yes" in file.read().splitlines() else "snapshots"
    except OSError:
        return ""


def free_bytes(path):
    while path and not os.path.exists(path):
        path = os.path.dirname(path)
    status = os.statvfs(path or "/")
    return status.f_bavail * status.f_frsize


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


def foreign(parameters, docker, running):
    """What this collection did not write. Of a server without such units nothing else is asked."""
    units = takeover.foreign_units(parameters["identifier"])
    found = {"units": units, "containers": {}, "databases": None, "entry_points": []}
    if units and running:
        postgres = parameters["postgres"]
        found["containers"] = takeover.running_containers(docker)
        found["entry_points"] = takeover.entry_points(parameters["traefik_config_path"] or "")
        if f"{postgres['container']}.service" in units and postgres["container"] in found["containers"]:
            found["databases"] = takeover.databases(postgres["container"], postgres["user"])
    return found


def lago(parameters, docker, units, stranger, recorded):
    """Which release of Lago is there: what its unit or container names, or the migration that ran last."""
    names = parameters["lago"]
    if not names:
        nowhere = {"target": "", "url": ""}
        return {"version": "", "schema": [], "environment": {}, "has_users": None, "database": nowhere}
    unit = f"{names['api']}.service"
    container = stranger["containers"].get(names["api"], {})
    image = (
        units.get(unit, {}).get("image") or container.get("image") or stranger["units"].get(unit, {}).get("image", "")
    )
    present = takeover.release_of(image)
    if container and not present:
        present = takeover.release_in((docker.container(names["api"]) or {}).get("Config", {}).get("Env") or [])
    migrated = takeover.release_of(recorded.get(names["migrate"], {}).get("image", ""))
    schema = []
    if stranger["databases"] and names["database"] in stranger["databases"]:
        postgres = parameters["postgres"]
        schema = takeover.schema(postgres["container"], postgres["user"], names["database"], names["landmarks"])
    environment = {}
    if names["keys"] not in recorded:
        environment = takeover.environment_digests(names["environment_path"], parameters["digest_key"])
    return {
        "version": takeover.newest(present, migrated),
        "schema": schema,
        "environment": environment,
        "database": takeover.database_of(names["environment_path"], parameters["digest_key"]),
        "has_users": has_users(parameters, docker) if names["ask_for_users"] else None,
    }


def has_users(parameters, docker):
    """Whether anybody can log in to Lago; None where its database is elsewhere, not up or not there yet."""
    postgres = parameters["postgres"]
    if docker.containers().get(postgres["container"], {}).get("state") != "running":
        return None
    statement = "SELECT EXISTS (SELECT FROM users)"
    answer = takeover.query(postgres["container"], postgres["user"], parameters["lago"]["database"], statement)
    return {"t": True, "f": False}.get(answer)


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
    release = os_release()
    docker = Docker()
    program = shutil.which("docker")
    state = show_units(["docker.service"]).get("docker.service", {})
    running = program is not None and state.get("ActiveState") == "active"
    units = managed_units()
    version = docker.get("/version") if running else None
    sockets = listening_sockets()
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
    recorded = json_files(parameters["records_path"]) if parameters["records_path"] else {}
    stranger = foreign(parameters, docker, running)
    keep_running_dependents(states)
    module.exit_json(
        changed=False,
        server={
            "distribution": release.get("ID", ""),
            "like": release.get("ID_LIKE", ""),
            "version": release.get("VERSION_ID", ""),
            "codename": release.get("VERSION_CODENAME", ""),
            "architecture": ARCHITECTURES.get(platform.machine(), platform.machine()),
            "memory_kb": memory_kb(),
            "disk_free_bytes": free_bytes((parameters["config_paths"] or ["/"])[0]),
            # Clones may share the first; containers share the second.
            "lease": lease.seen(),
            "machine": f"{read_line('/etc/machine-id')}/{read_line('/proc/sys/kernel/random/boot_id')}",
            "user": user_ids(parameters["user_name"], parameters["group_name"]),
            # Written by systemd where the server is a container; nesting as LXC does it, or without a profile at all.
            "container": read_line("/run/systemd/container"),
            "nesting": os.path.exists("/dev/.lxc") or read_line("/proc/self/attr/current").startswith("unconfined"),
            "selinux": "enforcing" if read_line("/sys/fs/selinux/enforce") == "1" else "",
            "addresses": addresses(),
            "time": time.time(),
            "docker": {
                "installed": program is not None,
                "kind": docker_kind(program, state),
                "state": state.get("ActiveState", ""),
                "running": running,
                "answers": version is not None,
                "version": (version or {}).get("Version", ""),
                "disk_free_bytes": free_bytes(docker_directory()),
            },
            "images": docker.image_ids() if running else {},
            "networks": sorted(docker.networks()) if running else [],
            "running_containers": running_containers(docker) if running else [],
            "containers": reachable(docker, parameters["host_names"]) if running else {},
            "units": states,
            "files": files,
            "records": recorded,
            "foreign": stranger,
            "lago": lago(parameters, docker, units, stranger, recorded),
            "claims": claims({unit["engine_path"] for unit in units.values() if "engine_path" in unit}),
            "postgres_major": read_line(os.path.join(parameters["postgres_data_path"] or "/nonexistent", "PG_VERSION")),
            "postgres_database": database_system(parameters["postgres_data_path"]),
            "valkey_persistence": valkey_persistence(parameters["valkey_config_file"]),
            "listening": sorted({port for _address, port in sockets.values()}),
            "listeners": listeners(sockets, docker.containers() if running else {}),
            "time_synchronised": time_synchronised(),
            "python_apt": importlib.util.find_spec("apt") is not None,
            "python_docker": importlib.util.find_spec("docker") is not None,
            "programs": [name for name in parameters["programs"] if shutil.which(name)],
        },
    )


def time_synchronised():
    """Whether any time service is installed and wanted; a container has none of its own and need not."""
    done = run(["systemctl", "is-enabled", "systemd-timesyncd", "chrony", "ntpsec", "ntp", "openntpd"], check=False)
    return "enabled" in done.stdout.split()


if __name__ == "__main__":
    main()
