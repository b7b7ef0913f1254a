# SPDX-FileCopyrightText: 2026 The selfhosting.lago authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""A fresh development machine: a bare Debian with an empty home and a clean checkout, to run our own commands in."""

from __future__ import annotations

import os
import subprocess
import tempfile
from pathlib import Path

from .catalogue import DEBIAN
from .servers import CAPABILITIES
from .shell import LABEL, REPOSITORY, docker, run, say

CHECKOUT = "/root/lago"
CERTIFICATES = Path("/etc/ssl/certs/ca-certificates.crt")
# Programs with a certificate list of their own are pointed to the machine's with these.
CERTIFICATE_VARIABLES = ("CURL_CA_BUNDLE", "PIP_CERT", "REQUESTS_CA_BUNDLE", "SSL_CERT_FILE")


def run_on_fresh_machine(run_id: str, release: str, command: list[str], keep: bool) -> int:
    """Run a command in a clean checkout of HEAD; returns its exit code."""
    container = docker(
        "run",
        "--detach",
        "--init",
        f"--label={LABEL}={run_id}",
        f"--hostname=fresh-{release}",
        *[f"--cap-add={capability}" for capability in CAPABILITIES],
        "--security-opt=seccomp=unconfined",
        "--security-opt=apparmor=unconfined",
        "--cgroupns=host",
        "--volume=/sys/fs/cgroup:/sys/fs/cgroup:rw",
        "--volume=/var/lib/docker",
        # Docker switches IPv6 off in a network without it, the loopback included.
        "--sysctl=net.ipv6.conf.all.disable_ipv6=0",
        *[f"--env={name}={CERTIFICATES}" for name in CERTIFICATE_VARIABLES if name in os.environ],
        DEBIAN + release,
        "sleep",
        "infinity",
    )
    say(f"fresh {release} machine {container[:12]}: {' '.join(command)}")
    try:
        trust_what_this_machine_trusts(container)
        check_out(container)
        return subprocess.run(
            ["docker", "exec", f"--workdir={CHECKOUT}", container, *command], check=False, stdin=subprocess.DEVNULL
        ).returncode
    finally:
        if keep:
            say(f"kept: docker exec -it {container[:12]} bash; docker rm --force --volumes {container[:12]}")
        else:
            docker("rm", "--force", "--volumes", container)


def trust_what_this_machine_trusts(container: str) -> None:
    """A company's own certificate authority between this machine and the package registries, for example."""
    docker("cp", str(CERTIFICATES), f"{container}:/usr/local/share/ca-certificates/machine.crt")
    docker("exec", container, "update-ca-certificates")


def check_out(container: str) -> None:
    """A clone as a user makes it: what is committed, and nothing that only this clone has."""
    with tempfile.TemporaryDirectory() as directory:
        clone = Path(directory) / Path(CHECKOUT).name
        run("git", "clone", "--quiet", "--depth=1", f"file://{REPOSITORY}", str(clone))
        docker("cp", str(clone), f"{container}:{Path(CHECKOUT).parent}")
