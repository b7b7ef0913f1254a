# SPDX-FileCopyrightText: 2026 The selfhosting.lago authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""The files of every role for the host lago.example.com of tests/unit/inventory.

After a change that is meant: pytest tests/unit/test_golden.py --update-golden, and look at the difference in git.
"""

import shutil
import subprocess

import pytest
from unit import golden_files
from virtual_host import PRODUCTS, REPOSITORY, VirtualHost

# What systemd itself and the packages of Docker bring; verify follows dependencies into them.
SURROUNDINGS = [
    *("sysinit.target", "basic.target", "shutdown.target", "multi-user.target", "timers.target"),
    *("docker.service", "time-set.target", "time-sync.target", "system.slice", "sockets.target"),
]


@pytest.mark.parametrize("product", PRODUCTS)
def test_golden_files(product, request):
    files = golden_files.rendered(product)
    if request.config.getoption("--update-golden"):
        golden_files.write(product, files)
    stored = golden_files.stored(product)
    assert sorted(files) == sorted(stored)
    for name, content in files.items():
        assert content == stored[name], f"{name}; if that is meant: pytest {__file__} --update-golden"


def test_every_product_has_golden_files():
    with_containers = {path.parent.name for path in REPOSITORY.glob("roles/*/product.yml")} - {"base"}
    assert with_containers == set(PRODUCTS) == {path.name for path in golden_files.GOLDEN.iterdir()}


def test_no_secret_is_in_a_unit():
    host = VirtualHost()
    names = ["mash_playbook_generic_secret_key", "postgres_connection_password", "valkey_connection_password"]
    names += ["lago_database_password", "lago_api_environment_variable_lago_rsa_private_key"]
    names += [name for name in host.variables if "encryption_" in name or "secret_key_base" in name]
    secrets = {name: host.evaluate(name) for name in names}
    assert len(secrets) >= 9
    assert all(secrets.values())
    files = [file for product in PRODUCTS for file in host.rendered(product).values()]
    found = {file["path"] for file in files if any(secret in file["content"] for secret in secrets.values())}
    assert found, "the secrets are in the environment files"
    by_path = {file["path"]: file for file in files}
    assert not [path for path in found if not by_path[path]["secret"] or by_path[path]["mode"] not in ("0600", "0640")]


@pytest.fixture(scope="module")
def system(tmp_path_factory):
    """The root of a system with all golden units, for systemd-analyze."""
    if not shutil.which("systemd-analyze"):
        pytest.fail("systemd-analyze is missing: apt-get install systemd")
    root = tmp_path_factory.mktemp("root")
    units = root / "etc" / "systemd" / "system"
    units.mkdir(parents=True)
    for name in SURROUNDINGS:
        (units / name).write_text("[Service]\nExecStart=/bin/sh\n" if name.endswith(".service") else "[Unit]\n")
    for program in ("usr/bin/docker", "usr/bin/python3", "bin/sh"):
        path = root / program
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch(0o755)
    for product in PRODUCTS:
        for name, text in golden_files.units(product).items():
            (units / name).write_text(text)
    return root


def verify(root, *names):
    """What systemd says of units; nothing where it finds no fault."""
    command = ["systemd-analyze", "verify", "--man=no", f"--root={root}", *names]
    done = subprocess.run(command, capture_output=True, text=True)
    return (done.stdout + done.stderr).strip() or ("" if done.returncode == 0 else f"ended with {done.returncode}")


@pytest.mark.parametrize("product", PRODUCTS)
def test_systemd_accepts_the_units(system, product):
    names = list(golden_files.units(product))
    assert names
    assert verify(system, *names) == ""


def test_systemd_accepts_a_timer(system):
    host = VirtualHost()
    service = host.product("lago").services()[0]
    service |= {"kind": "timer", "name": "mash-timed", "description": "50 % of it", "on_calendar": "*-*-* 04:00"}
    service |= {"randomized_delay": "2h", "phase": "manual"}
    from ansible_collections.selfhosting.lago.plugins.plugin_utils.render import Renderer

    files = Renderer("mash-lago", {}, "", "/mash/selfhosting-lago").service_files(service, [])
    for file in files:
        if file["path"].startswith("/etc/"):
            (system / file["path"].lstrip("/")).write_text(file["content"])
    assert verify(system, "mash-timed.timer", "mash-timed.service") == ""


def test_systemd_would_complain(system):
    (system / "etc/systemd/system/bad.service").write_text("[Service]\nType=exec\nExecStart=/bin/sh 'open\n")
    assert "Unbalanced quoting" in verify(system, "bad.service")
