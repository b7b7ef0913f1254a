# SPDX-FileCopyrightText: 2026 The selfhosting.lago authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""bin/add-inventory-host, run the way a user runs it."""

import base64
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

REPOSITORY = Path(__file__).resolve().parents[2]
HOST = "lago.example.com"
SECRETS = [
    "mash_playbook_generic_secret_key",
    "postgres_connection_password",
    "lago_api_environment_variable_lago_rsa_private_key",
    "lago_migrate_environment_variable_lago_org_user_password",
]


@pytest.fixture
def inventory(tmp_path):
    return tmp_path / "inventory"


def add(inventory, host=HOST, address="203.0.113.10"):
    command = [sys.executable, REPOSITORY / "bin/add-inventory-host", host, address, f"--inventory={inventory}"]
    return subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL)


def settings(inventory, host=HOST):
    return yaml.safe_load((inventory / "host_vars" / host / "vars.yml").read_text())


def listed(inventory):
    """Names and addresses as Ansible reads them."""
    command = [
        Path(sys.executable).with_name("ansible-inventory"),
        "--inventory",
        inventory / "hosts",
        "--list",
        "--yaml",
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=REPOSITORY)
    hosts = yaml.safe_load(done.stdout)["all"]["children"]["mash_servers"]["hosts"]
    return {name: values["ansible_host"] for name, values in hosts.items()}


def test_first_host(inventory):
    done = add(inventory)
    assert done.returncode == 0, done.stderr
    assert listed(inventory) == {HOST: "203.0.113.10"}
    values = settings(inventory)
    assert values["lago_hostname"] == HOST
    # Sign-up stays closed: the installation makes the first account.
    assert "lago_front_environment_variable_lago_disable_signup" not in values
    assert values["lago_migrate_environment_variable_lago_org_name"]
    assert values["lago_migrate_environment_variable_lago_org_user_email"] == f"admin@{HOST}"
    assert all(values[f"{service}_enabled"] is True for service in ("traefik", "postgres", "valkey", "lago"))


def test_secrets_are_fit_and_stay_out_of_the_output(inventory):
    done = add(inventory)
    values = settings(inventory)
    assert len(values["mash_playbook_generic_secret_key"]) == 64
    assert 32 <= len(values["postgres_connection_password"]) <= 99
    pem = base64.b64decode(values["lago_api_environment_variable_lago_rsa_private_key"], validate=True)
    key = load_pem_private_key(pem, password=None)
    assert isinstance(key, RSAPrivateKey)
    assert key.key_size == 2048
    assert not any(values[name] in done.stdout + done.stderr for name in SECRETS)


def test_only_the_owner_reads_the_files(inventory):
    add(inventory)
    files = [path for path in inventory.rglob("*") if path.is_file()]
    assert len(files) == 2
    assert {path.stat().st_mode & 0o777 for path in files} == {0o600}


def test_each_host_has_its_own_secrets(inventory):
    add(inventory)
    add(inventory, "other.example.com", "203.0.113.11")
    assert listed(inventory) == {HOST: "203.0.113.10", "other.example.com": "203.0.113.11"}
    first, second = settings(inventory), settings(inventory, "other.example.com")
    assert not any(first[name] == second[name] for name in SECRETS)


def test_settings_are_never_overwritten(inventory):
    add(inventory)
    before = {path: path.read_bytes() for path in inventory.rglob("*") if path.is_file()}
    done = add(inventory, address="203.0.113.99")
    assert done.returncode == 1
    assert "is there already" in done.stderr
    assert {path: path.read_bytes() for path in inventory.rglob("*") if path.is_file()} == before


def test_a_host_without_settings_is_refused_too(inventory):
    inventory.mkdir()
    (inventory / "hosts").write_text(f"[mash_servers]\n{HOST} ansible_host=203.0.113.1\n")
    done = add(inventory)
    assert done.returncode == 1
    assert not (inventory / "host_vars").exists()


def test_what_a_user_wrote_into_hosts_stays(inventory):
    inventory.mkdir()
    hosts = inventory / "hosts"
    hosts.write_text("# mine\n[mash_servers]\na.example.com ansible_host=a\n\n[other]\nb.example.com ansible_host=b\n")
    hosts.chmod(0o640)
    add(inventory)
    assert hosts.read_text() == (
        "# mine\n[mash_servers]\na.example.com ansible_host=a\n"
        f"{HOST} ansible_host=203.0.113.10 ansible_user=root\n\n[other]\nb.example.com ansible_host=b\n"
    )
    assert hosts.stat().st_mode & 0o777 == 0o640


def test_group_is_added_to_hosts_without_it(inventory):
    inventory.mkdir()
    (inventory / "hosts").write_text("[mash_servers:children]\nmine\n\n[mine]\na.example.com ansible_host=a\n")
    add(inventory)
    hosts = (inventory / "hosts").read_text()
    assert hosts.startswith("[mash_servers:children]\nmine\n\n[mine]\na.example.com ansible_host=a\n\n[mash_servers]\n")


@pytest.mark.parametrize(
    ("host", "address"),
    [("../up", "203.0.113.1"), ("UPPER.example.com", "203.0.113.1"), ("a b", "203.0.113.1"), (HOST, "a b"), (HOST, "")],
)
def test_odd_names_are_refused_before_anything_is_written(inventory, host, address):
    done = add(inventory, host, address)
    assert done.returncode == 1
    assert repr(host) in done.stderr or repr(address) in done.stderr
    assert not inventory.exists()
