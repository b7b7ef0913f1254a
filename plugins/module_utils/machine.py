# SPDX-FileCopyrightText: 2026 The selfhosting.lago authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""What a server is: distribution, memory, disks, users, and what kind of Docker it has."""

from __future__ import annotations

import glob
import grp
import json
import os
import pwd

from .engine import run

ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64", "armv7l": "arm32", "armv6l": "arm32"}


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


def free_bytes(path):
    while path and not os.path.exists(path):
        path = os.path.dirname(path)
    status = os.statvfs(path or "/")
    return status.f_bavail * status.f_frsize


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


def time_synchronised():
    """Whether any time service is installed and wanted; a container has none of its own and need not."""
    done = run(["systemctl", "is-enabled", "systemd-timesyncd", "chrony", "ntpsec", "ntp", "openntpd"], check=False)
    return "enabled" in done.stdout.split()
