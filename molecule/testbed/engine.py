# SPDX-FileCopyrightText: 2026 The selfhosting.lago authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""A Docker engine on the development machine: the one that is there, or Debian's started by hand."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

from .shell import TestbedError, apt_install, docker, run, say, state_directory

START_SECONDS = 60
STOP_SECONDS = 60
UNITS = ["docker.socket", "docker.service", "containerd.service"]


def ensure() -> None:
    """Use an engine that answers, else install and start one."""
    if answers():
        return
    installed = not shutil.which("dockerd")
    if installed:
        install()
    if Path("/run/systemd/system").is_dir():
        run("systemctl", "start", "docker.service")
        # Installing them has started both.
        engine_note().write_text(json.dumps({"units": UNITS if installed else UNITS[:2]}))
    else:
        start_by_hand()
    if not answers():
        raise TestbedError("Docker was started and does not answer; see `docker info`.")


def answers() -> bool:
    return bool(shutil.which("docker") and docker("info", "--format", "{{.ID}}", check=False))


def install() -> None:
    packages = ["docker.io", "iptables", "ca-certificates"]
    apt_install(*packages)
    if not shutil.which("docker"):  # from Debian 13 on the client is a package of its own
        apt_install("docker-cli")


def start_by_hand() -> None:
    """Without systemd as PID 1, for example in a container, dockerd is a process of ours."""
    make_control_groups_writable()
    make_network_settings_writable()
    choose_iptables()
    log = state_directory() / "dockerd.log"
    say(f"starting dockerd (log: {log})")
    with log.open("ab") as output:
        process = subprocess.Popen(
            ["dockerd", "--pidfile", str(state_directory() / "dockerd.pid")],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    record(process.pid)
    deadline = time.monotonic() + START_SECONDS
    while not answers():
        if process.poll() is not None or time.monotonic() > deadline:
            tail = log.read_text(errors="replace")[-3000:]
            raise TestbedError(f"dockerd did not start:\n{tail}")
        time.sleep(0.5)
    driver = docker("info", "--format", "{{.Driver}}")
    if driver == "vfs":
        say("Docker stores whole copies here (driver vfs): slow and large. Give /var/lib/docker a volume of its own.")


def make_control_groups_writable() -> None:
    """Inside a container the control groups are mounted read-only, or only for reading a part of them."""
    groups = Path("/sys/fs/cgroup")
    if not any(groups.iterdir()):
        run("mount", "-t", "cgroup2", "cgroup2", str(groups))
        return
    for mount in [groups, *groups.iterdir()]:
        if mount.is_mount() and is_read_only(mount):
            run("mount", "-o", "remount,rw", str(mount))


def make_network_settings_writable() -> None:
    """Inside a container they are read-only too; the part that is the container's own may be given back."""
    settings = Path("/proc/sys/net")
    if is_read_only(settings):
        run("mount", "--bind", str(settings), str(settings))
        run("mount", "-o", "remount,bind,rw", str(settings))


def is_read_only(mount: Path) -> bool:
    return bool(os.statvfs(mount).f_flag & os.ST_RDONLY)


def choose_iptables() -> None:
    """A kernel without nf_tables still has the older interface."""
    if subprocess.run(["iptables", "-t", "nat", "-S"], check=False, capture_output=True).returncode == 0:
        return
    for command in ("iptables", "ip6tables"):
        run("update-alternatives", "--set", command, f"/usr/sbin/{command}-legacy", check=False)


def record(pid: int) -> None:
    note = {"pid": pid, "started": process_start(pid)}
    engine_note().write_text(json.dumps(note))


def engine_note() -> Path:
    return state_directory() / "engine.json"


def process_start(pid: int) -> str | None:
    """The kernel's start time of a process: a pid alone may have been given to another one since."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]
    except FileNotFoundError:
        return None


def started_by_us() -> bool:
    if not engine_note().exists():
        return False
    note = json.loads(engine_note().read_text())
    if "units" in note:
        return answers()
    return note["started"] is not None and process_start(note["pid"]) == note["started"]


def stop() -> None:
    """End the engine that was started here; one that was found is left alone."""
    if not started_by_us():
        return
    note = json.loads(engine_note().read_text())
    if "units" in note:
        say(f"stopping {', '.join(note['units'])}")
        run("systemctl", "stop", *note["units"])
    else:
        end_process(note["pid"])
    engine_note().unlink()


def end_process(pid: int) -> None:
    say(f"ending dockerd (pid {pid})")
    os.kill(pid, signal.SIGTERM)
    deadline = time.monotonic() + STOP_SECONDS
    while process_start(pid) is not None and not is_zombie(pid):
        if time.monotonic() > deadline:
            raise TestbedError(f"dockerd (pid {pid}) does not end.")
        time.sleep(0.2)


def is_zombie(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except FileNotFoundError:
        return True
