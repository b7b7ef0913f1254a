# SPDX-FileCopyrightText: 2026 The selfhosting.lago authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""A server of the test bed, and the inventory of a user who wants Lago on it."""

from __future__ import annotations

import base64
import json
import secrets
import shutil
import subprocess
from pathlib import Path

import yaml
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

REPOSITORY = Path(__file__).resolve().parents[2]
NAME = "bench"
HOSTNAME = "lago.example.test"
API_KEY = "key-of-the-first-organization"
SSH = "-o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o IdentitiesOnly=yes -o LogLevel=ERROR"


class BenchError(Exception):
    """Something a user can read and act on."""


def testbed(run: str, *arguments: str) -> str:
    done = subprocess.run(
        [REPOSITORY / "bin" / "testbed", f"--run={run}", *arguments], stdout=subprocess.PIPE, text=True
    )
    if done.returncode:
        raise BenchError(f"bin/testbed {' '.join(arguments)} failed, see above")
    return done.stdout


class Server:
    def __init__(self, run: str, variant: str, images: str, directory: Path, values: dict):
        if json.loads(testbed(run, "list")):
            raise BenchError(f"Run {run} has a server already: end it with bin/testbed --run={run} down, or use --run.")
        self.run, self.variant, self.images, self.directory = run, variant, images, directory
        self.hosts = directory / "hosts"
        self.values = values

    def start(self) -> None:
        (about,) = json.loads(testbed(self.run, "up", f"--images={self.images}", f"{NAME}={self.variant}"))
        self.address = about["address"]
        self._write_inventory(about)

    def end(self) -> None:
        testbed(self.run, "down", NAME)
        shutil.rmtree(self.directory, ignore_errors=True)

    def invocations(self) -> dict[str, str]:
        """Every unit of the product that runs, with the id that systemd gave to its start."""
        properties = "--property=Id,InvocationID,ActiveState"
        shown = testbed(self.run, "exec", NAME, "systemctl", "show", properties, "mash-*")
        blocks = [dict(line.split("=", 1) for line in block.splitlines()) for block in shown.strip().split("\n\n")]
        found = {block["Id"]: block["InvocationID"] for block in blocks if block["ActiveState"] == "active"}
        if not found:
            raise BenchError("no unit of the product is on the server")
        return found

    def _write_inventory(self, about: dict) -> None:
        shutil.rmtree(self.directory, ignore_errors=True)
        self.directory.mkdir(parents=True, mode=0o700)
        self.hosts.write_text(f"[mash_servers]\n{NAME}\n")
        connection = {
            "ansible_host": about["address"],
            "ansible_user": about["user"],
            "ansible_ssh_private_key_file": about["identity_file"],
            "ansible_ssh_common_args": SSH,
        }
        values = {**connection, **settings(about["docker"] if self.images == "stand-in" else {}), **self.values}
        path = self.directory / "host_vars" / NAME / "vars.yml"
        path.parent.mkdir(parents=True)
        path.write_text(yaml.safe_dump(values, sort_keys=False))


def settings(options: dict) -> dict:
    """The vars.yml; secrets are made for this one server."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return {
        "mash_playbook_generic_secret_key": secrets.token_hex(32),
        "mash_playbook_docker_installation_enabled": True,
        "mash_playbook_docker_installation_daemon_options_custom": options,
        "mash_playbook_reverse_proxy_type": "playbook-managed-traefik",
        # Traefik's own certificate: no authority knows the name.
        "traefik_config_certificatesResolvers_acme_enabled": False,
        "postgres_enabled": True,
        "postgres_connection_password": secrets.token_hex(32),
        "valkey_enabled": True,
        "lago_enabled": True,
        "lago_hostname": HOSTNAME,
        "lago_api_environment_variable_lago_rsa_private_key": base64.b64encode(key).decode(),
        "lago_migrate_environment_variable_lago_create_org": True,
        "lago_migrate_environment_variable_lago_org_name": "Bench",
        "lago_migrate_environment_variable_lago_org_user_email": "bench@example.com",
        "lago_migrate_environment_variable_lago_org_user_password": secrets.token_hex(16),
        "lago_migrate_environment_variable_lago_org_api_key": API_KEY,
    }
