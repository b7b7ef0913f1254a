# SPDX-FileCopyrightText: 2026 The selfhosting.lago authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""The throw-away server: made with nothing but systemd on it, then installed as a user would do it."""

from __future__ import annotations

import datetime
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import yaml
from testbed import catalogue, images, registry, servers
from testbed.shell import REPOSITORY, TestbedError, run, say, state_directory

from . import state
from .state import HOST, RUN, SERVER, Demo

TASK = re.compile(r"^TASK \[(?:selfhosting\.lago\.)?(.*?)\] \**$")
RECAP = re.compile(r"^\S+ +: ok=\d+ +changed=(\d+) ")


def up(demo: Demo) -> str:
    """Returns the server's address."""
    wanted = needed(demo)
    demo.made_images += [
        name for name in names(wanted) if name not in demo.made_images and not state.there("image", name)
    ]
    demo.save()
    images.build(wanted)
    mirror = None
    if demo.images == "stand-in":
        registry.ensure()
        registry.push(wanted)
        mirror = registry.address()
    else:
        registry.ensure_network()
    if state.server() is None or not state.login_file().exists():
        begin_anew()
    server = servers.up(RUN, [servers.Wanted(SERVER, f"{demo.release}-bare")], mirror)[0]
    if not demo.inventory.exists():
        write_inventory(demo, server.address, mirror)
    return server.address


def needed(demo: Demo) -> list[catalogue.Image]:
    """Only what this demo runs."""
    versions = catalogue.versions()
    wanted = [f"selfhosting-test/server:{demo.release}-bare"]
    if demo.images == "stand-in":
        wanted += [
            registry.REGISTRY_IMAGE,
            f"postgres:{versions['postgres']}-trixie",
            f"getlago/api:{versions['lago']}",
            f"traefik:{versions['traefik']}",
            f"getlago/lago-gotenberg:{versions['gotenberg']}",
            f"valkey/valkey:{versions['valkey']}-alpine",
            f"haproxy:{versions['haproxy']}-alpine",
            f"getlago/front:{versions['lago']}",
        ]
    known = {image.name: image for image in catalogue.load()}
    missing = [name for name in wanted if name not in known]
    if missing:
        raise TestbedError(f"{', '.join(missing)}: not in molecule/images/images.yml. Add it there.")
    return [known[name] for name in wanted]


def names(wanted: list[catalogue.Image]) -> list[str]:
    """A base before what stands on it."""
    return list(dict.fromkeys([image.base for image in wanted] + [image.local_name for image in wanted]))


def begin_anew() -> None:
    """Server, inventory and secrets belong together: without one of them the others are of no use."""
    servers.remove(RUN, [SERVER])
    shutil.rmtree(state.directory() / "inventory", ignore_errors=True)
    state.login_file().unlink(missing_ok=True)
    state.login()


def write_inventory(demo: Demo, address: str, mirror: str | None) -> None:
    directory = demo.inventory.parent
    run(str(REPOSITORY / "bin" / "add-inventory-host"), "--inventory", str(directory), HOST, address)
    certificate, private_key = make_certificate()
    state.certificate().write_text(certificate)
    login = state.login()
    settings = {
        "ansible_ssh_args": shlex.join(["-F", str(ssh_config())]),
        "traefik_config_certificatesResolvers_acme_enabled": False,
        "traefik_certificates": [{"certificate": certificate, "private_key": private_key}],
        "lago_migrate_environment_variable_lago_org_name": login["organization"],
        "lago_migrate_environment_variable_lago_org_user_email": login["email"],
        "lago_migrate_environment_variable_lago_org_user_password": login["password"],
        "lago_migrate_environment_variable_lago_org_api_key": login["api_key"],
        "mash_playbook_docker_installation_daemon_options_custom": servers.daemon_settings(mirror),
    }
    # Beside vars.yml: Ansible reads both.
    target = directory / "host_vars" / HOST / "demo.yml"
    target.touch(mode=0o600)
    target.write_text(yaml.safe_dump(settings, sort_keys=False))
    say(f"wrote the inventory {demo.inventory} with bin/add-inventory-host")


def ssh_config() -> Path:
    return servers.write_ssh_config(RUN)


def make_certificate() -> tuple[str, str]:
    """A certificate that is its own authority: who trusts it, trusts exactly this server."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, HOST)])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(days=365))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(HOST)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    private = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return certificate.public_bytes(pem).decode(), private.decode()


def install(demo: Demo) -> int:
    """Run the recipe that the README names; returns the number of changes."""
    command = [f"{Path(sys.executable).parent}/just", f"inventory={demo.inventory}", "install-all"]
    say(f"installing: just {shlex.join(command[1:])}")
    log = state.directory() / "playbook.log"
    changed = None
    with log.open("w") as file, playbook(command) as process:
        for line in process.stdout:
            file.write(line)
            if match := TASK.match(line):
                say(f"  {match[1]}")
            if match := RECAP.match(line):
                changed = int(match[1])
    if process.returncode != 0 or changed is None:
        print("".join(log.read_text().splitlines(keepends=True)[-60:]), file=sys.stderr)
        raise TestbedError(f"The playbook failed, see above and {log}.")
    return changed


def playbook(command: list[str]) -> subprocess.Popen[str]:
    own = {
        "ANSIBLE_HOME": str(state_directory() / "demo" / "ansible"),
        "ANSIBLE_NOCOLOR": "1",
        "PYTHONUNBUFFERED": "1",
    }
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"} | own
    return subprocess.Popen(
        command,
        cwd=REPOSITORY,
        env=environment,
        text=True,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )


def ssh(address: str, command: str, stdin: str = "") -> str:
    return run("ssh", "-F", str(ssh_config()), f"root@{address}", command, stdin=stdin)
