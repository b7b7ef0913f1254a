# SPDX-FileCopyrightText: 2026 The selfhosting.lago authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Servers: containers that run systemd as PID 1, and where wanted their own Docker."""

from __future__ import annotations

import io
import json
import socket
import subprocess
import sys
import tarfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from . import registry
from .shell import LABEL, TestbedError, docker, lock, run, say, state_directory

NAME = f"{LABEL}.server"
ADDRESS = f"{LABEL}.address"
FIRST_ADDRESS = 10
# Two stacks on two busy cores took longer than 90 s.
BOOT_SECONDS = 300
STOP_SECONDS = 180  # longer than any unit of the product may take to stop

# Everything a server needs except SYS_RESOURCE, which a machine that is a container itself may lack; `--privileged`
# would ask for it.
CAPABILITIES = [
    "CHOWN",
    "DAC_OVERRIDE",
    "DAC_READ_SEARCH",
    "FOWNER",
    "FSETID",
    "KILL",
    "SETGID",
    "SETUID",
    "SETPCAP",
    "LINUX_IMMUTABLE",
    "NET_BIND_SERVICE",
    "NET_BROADCAST",
    "NET_ADMIN",
    "NET_RAW",
    "IPC_LOCK",
    "IPC_OWNER",
    "SYS_CHROOT",
    "SYS_PTRACE",
    "SYS_ADMIN",
    "SYS_BOOT",
    "SYS_NICE",
    "SYS_TTY_CONFIG",
    "MKNOD",
    "AUDIT_WRITE",
    "AUDIT_CONTROL",
    "SETFCAP",
    "SYSLOG",
]


@dataclass(frozen=True)
class Server:
    run: str
    name: str
    container: str
    address: str
    image: str

    def described(self) -> dict[str, object]:
        """What Ansible, Molecule and people need to reach it."""
        return {
            "name": self.name,
            "address": self.address,
            "image": self.image,
            "user": "root",
            "identity_file": str(key()),
            "docker": daemon_settings(registry.address()),
        }


@dataclass(frozen=True)
class Wanted:
    name: str
    variant: str  # bookworm, trixie, bookworm-bare, trixie-bare

    @classmethod
    def parse(cls, text: str) -> Wanted:
        name, separator, variant = text.partition("=")
        if not separator or variant.removesuffix("-bare") not in ("bookworm", "trixie"):
            raise TestbedError(f"{text}: write NAME=RELEASE or NAME=RELEASE-bare, the release bookworm or trixie.")
        return cls(name, variant)

    @property
    def image(self) -> str:
        return f"selfhosting-test/server:{self.variant}"

    @property
    def has_docker(self) -> bool:
        return not self.variant.endswith("-bare")


def up(
    run_id: str, wanted: list[Wanted], mirror: str | None, prepare: Callable[[Server], None] | None = None
) -> list[Server]:
    """Make or start the servers; all boot at the same time. New ones with Docker are prepared before they do."""
    for one in wanted:
        existing = find(run_id, one.name)
        if existing is None:
            existing = create(run_id, one, mirror)
            if prepare and one.has_docker:
                prepare(existing)
        docker("start", existing.container)
    servers = [get(run_id, one.name) for one in wanted]
    for server in servers:
        wait(server)
    write_ssh_config(run_id)
    return servers


def create(run_id: str, wanted: Wanted, mirror: str | None, docker_data: str = "/var/lib/docker") -> Server:
    # Locked until the container has its label: that is where the next server sees which addresses are taken.
    with lock("addresses"):
        address = free_address()
        container = docker("create", *options(run_id, wanted, address, docker_data), wanted.image)
    put(container, "root/.ssh/authorized_keys", Path(f"{key()}.pub").read_text(), mode=0o600)
    if wanted.has_docker:
        put(container, "etc/docker/daemon.json", json.dumps(daemon_settings(mirror), indent=2))
    say(f"made server {wanted.name} ({wanted.image}, {address})")
    return get(run_id, wanted.name)


def options(run_id: str, wanted: Wanted, address: str, docker_data: str) -> list[str]:
    chosen = [
        f"--name=lago-test-{run_id}-{wanted.name}",
        f"--hostname={wanted.name}",
        f"--label={LABEL}={run_id}",
        f"--label={NAME}={wanted.name}",
        f"--label={ADDRESS}={address}",
        f"--network={registry.NETWORK}",
        f"--ip={address}",
        *[f"--cap-add={capability}" for capability in CAPABILITIES],
        "--security-opt=seccomp=unconfined",
        "--security-opt=apparmor=unconfined",
        "--cgroupns=host",
        "--volume=/sys/fs/cgroup:/sys/fs/cgroup:rw",
        f"--volume={docker_data}",  # no overlay upon overlay: the server's Docker wants a real filesystem
        "--tmpfs=/run:exec",
        "--tmpfs=/run/lock",
        "--tmpfs=/tmp:exec,mode=1777",
        "--env=container=docker",
        "--env=SYSTEMD_CGROUP_ENABLE_LEGACY_FORCE=1",  # Debian 13's systemd refuses cgroup v1 without it
        # Docker switches IPv6 off in a network without it; a server has it.
        "--sysctl=net.ipv6.conf.all.disable_ipv6=0",
    ]
    resolver = write_resolver()
    if resolver:
        chosen.append(f"--volume={resolver}:/etc/resolv.conf:ro")
    return chosen


def write_resolver() -> Path | None:
    """The machine's own name servers.

    Docker's resolver 127.0.0.11, which a container in a network gets, is of no use to containers inside the server.
    """
    for source in (Path("/etc/resolv.conf"), Path("/run/systemd/resolve/resolv.conf")):
        lines = source.read_text().splitlines() if source.exists() else []
        servers = [line for line in lines if line.startswith("nameserver") and not line.split()[1].startswith("127.")]
        if servers:
            target = state_directory() / "resolv.conf"
            target.write_text("\n".join(servers) + "\n")
            return target
    return None


def free_address() -> str:
    taken = set(docker("ps", "--all", "--filter", f"label={ADDRESS}", f'--format={{{{.Label "{ADDRESS}"}}}}').split())
    for host in list(registry.subnet().hosts())[FIRST_ADDRESS:]:
        if str(host) not in taken:
            return str(host)
    raise TestbedError("All addresses of the test network are taken; end servers with `testbed down`.")


def daemon_settings(mirror: str | None) -> dict[str, object]:
    """Of the Docker on a server."""
    registries = {"registry-mirrors": [f"http://{mirror}"], "insecure-registries": [mirror]} if mirror else {}
    # What is built there uses Docker's own bridge, and hears of packets that are too large for the way out from nobody.
    return {**registries, "mtu": registry.way_out_mtu()}


def put(container: str, path: str, content: str, mode: int = 0o644) -> None:
    """Write a file into a container that may not run, with root as its owner."""
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as files:
        for parent in reversed(Path(path).parents[:-1]):
            entry = tarfile.TarInfo(str(parent))
            entry.type, entry.mode = tarfile.DIRTYPE, 0o755 if mode == 0o644 else 0o700
            files.addfile(entry)
        entry = tarfile.TarInfo(path)
        entry.size, entry.mode = len(content.encode()), mode
        files.addfile(entry, io.BytesIO(content.encode()))
    subprocess.run(["docker", "cp", "-", f"{container}:/"], input=archive.getvalue(), check=True)


def key() -> Path:
    """One key pair for all servers of this user."""
    path = state_directory() / "id_ed25519"
    with lock("key"):
        if not path.exists():
            run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "selfhosting.lago test bed", "-f", str(path))
    return path


def list_servers(run_id: str | None = None) -> list[Server]:
    label = f"{LABEL}={run_id}" if run_id else LABEL
    containers = docker("ps", "--all", "--quiet", "--filter", f"label={NAME}", "--filter", f"label={label}").split()
    if not containers:
        return []
    servers = []
    for about in json.loads(docker("inspect", *containers)):
        labels = about["Config"]["Labels"]
        servers.append(Server(labels[LABEL], labels[NAME], about["Id"], labels[ADDRESS], about["Config"]["Image"]))
    return sorted(servers, key=lambda server: (server.run, server.name))


def find(run_id: str, name: str) -> Server | None:
    return next((server for server in list_servers(run_id) if server.name == name), None)


def get(run_id: str, name: str) -> Server:
    server = find(run_id, name)
    if server is None:
        known = ", ".join(server.name for server in list_servers(run_id)) or "none"
        raise TestbedError(f"There is no server {name} in run {run_id} (there: {known}).")
    return server


def wait(server: Server) -> None:
    """Until systemd has started everything and a login is possible."""
    deadline = time.monotonic() + BOOT_SECONDS
    state = ""
    while time.monotonic() < deadline:
        state = docker("exec", server.container, "systemctl", "is-system-running", check=False)
        if state in ("running", "degraded") and accepts_logins(server):
            break
        time.sleep(0.3)
    else:
        raise TestbedError(f"{server.name} did not boot in {BOOT_SECONDS} s (state: {state or 'unknown'}).")
    if state == "degraded":
        say(f"{server.name} has failed units:")
        print_journal(server)


def accepts_logins(server: Server) -> bool:
    try:
        with socket.create_connection((server.address, 22), timeout=2) as connection:
            return connection.recv(4) == b"SSH-"
    except OSError:
        return False


def reboot(server: Server) -> None:
    """An orderly shutdown (SIGRTMIN+3, the image's stop signal) and a boot."""
    docker("stop", f"--time={STOP_SECONDS}", server.container)
    docker("start", server.container)
    wait(server)


def power_cut(server: Server) -> None:
    # It says goodbye to nobody: who uses an open connection would wait for an answer.
    end_connections(server.run, server)
    docker("kill", "--signal=KILL", server.container)
    docker("start", server.container)
    wait(server)


def execute(server: Server, command: list[str]) -> int:
    # A terminal only for a person: it would mix the two outputs and change line ends.
    terminal = ["--tty"] if sys.stdin.isatty() and sys.stdout.isatty() else []
    return subprocess.run(
        ["docker", "exec", "--interactive", *terminal, server.container, *command], check=False
    ).returncode


def print_journal(server: Server, lines: int = 60) -> None:
    """What a person asks for first when a run has failed."""
    states = ("failed", "activating", "auto-restart")
    listed = docker(
        "exec", server.container, "systemctl", "list-units", "--all", "--plain", "--no-legend",
        f"--state={','.join(states)}", check=False,
    )  # fmt: skip
    for unit in [line.split()[0] for line in listed.splitlines() if line.strip()]:
        print(f"--- {server.name}: {unit}", flush=True)
        print(docker("exec", server.container, "systemctl", "status", "--no-pager", "--lines=0", unit, check=False))
        print(
            docker(
                "exec", server.container, "journalctl", "--no-pager", f"--lines={lines}", f"--unit={unit}", check=False
            ),
            flush=True,
        )


def remove(run_id: str, names: list[str]) -> None:
    for server in list_servers(run_id):
        if not names or server.name in names:
            end_connections(run_id, server)
            docker("rm", "--force", "--volumes", server.container)
            say(f"removed server {server.name}")
    write_ssh_config(run_id)


def end_connections(run_id: str, server: Server) -> None:
    """The process that keeps a connection open for the next command would outlive its server."""
    config = state_directory() / f"ssh_config.{run_id}"
    if config.exists():
        run("ssh", "-F", str(config), "-O", "exit", f"root@{server.address}", check=False)


def write_ssh_config(run_id: str) -> Path:
    """For `ssh -F`, and for whoever prefers it to an inventory."""
    directory = state_directory()
    target = directory / f"ssh_config.{run_id}"
    known = list_servers(run_id)
    if not known:
        target.unlink(missing_ok=True)
        return target
    hosts = [f"Host {server.name}\n    HostName {server.address}\n" for server in known]
    common = f"""Host *
    User root
    IdentityFile {key()}
    IdentitiesOnly yes
    StrictHostKeyChecking no
    UserKnownHostsFile /dev/null
    LogLevel ERROR
    ControlMaster auto
    ControlPersist 60s
    ControlPath {directory}/%C
    ServerAliveInterval 5
    ServerAliveCountMax 2
"""
    target.write_text("\n".join([*hosts, common]))
    return target
