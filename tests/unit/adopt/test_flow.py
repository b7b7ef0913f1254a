# SPDX-FileCopyrightText: 2026 The selfhosting.lago authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""The playbook of an adoption as Ansible runs it, on an invented server: what happens when, and what is shown."""

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest
from compose_projects import containers_of, project_of
from virtual_host import REPOSITORY, SERVER, collection_copy

HOST = "lago.example.com"
HERE = Path(__file__).parent / "flow"
ACTION = HERE.parents[1] / "upgrade_flow" / "action.py"
KEY = "secret-key-base-of-the-project"
LEAVING = "lago-api,lago-api-clock,lago-api-worker,lago-db,lago-front,lago-migrate,lago-pdf,lago-redis"


@pytest.fixture(scope="module")
def copy(tmp_path_factory):
    """The collection with plugins that carry out nothing."""
    root = collection_copy(tmp_path_factory.mktemp("collection"))
    for name in ("server_probe", "product", "adopt_move", "run_end"):
        shutil.copy(ACTION, root / "plugins" / "action" / f"{name}.py")
    for name in ("compose_project", "lago_keys", "server_files"):
        text = (HERE / "module.py").read_text().replace('NAME = "compose_project"', f'NAME = "{name}"')
        (root / "plugins" / "modules" / f"{name}.py").write_text(text)
    return root


@pytest.fixture
def run(copy, tmp_path):
    """Runs the playbook: its status, what was done, what was said."""
    state = tmp_path / "state.json"
    key = subprocess.run(["openssl", "genrsa", "2048"], capture_output=True, text=True, check=True).stdout
    # The vendor's own example, with which many run: it stays, with a warning.
    project = project_of(containers_of({"LAGO_ENCRYPTION_PRIMARY_KEY": "your-encryption-primary-key"}), rsa_key=key)
    server = {**SERVER, "listeners": []}
    state.write_text(json.dumps({"record": {}, "log": [], "server": server, "project": project}))
    inventory = tmp_path / "hosts"
    inventory.write_text(f"[mash_servers]\n{HOST} ansible_connection=local ansible_become=false\n")
    settings = tmp_path / "host_vars" / HOST / "vars.yml"
    settings.parent.mkdir(parents=True)
    text = (REPOSITORY / "tests" / "unit" / "inventory" / "host_vars" / HOST / "vars.yml").read_text()
    text = text.replace("lago_hostname: lago.example.com", "lago_hostname: billing.example.com")
    settings.write_text(f"{text}\nmash_playbook_dns_check_enabled: false\n")

    def run(*arguments, change=None):
        state.write_text(json.dumps({**json.loads(state.read_text()), "log": [], **(change or {})}))
        done = subprocess.run(
            [
                *("ansible-playbook", f"--inventory={inventory}", "--extra-vars=ansible_become=false"),
                *("playbooks/adopt_compose.yml", "--extra-vars=adopt_directory=/opt/lago", *arguments),
            ],
            cwd=copy,
            env={
                **os.environ,
                # The copy, and never the collection that would do it.
                "ANSIBLE_CONFIG": str(copy / "ansible.cfg"),
                "ANSIBLE_COLLECTIONS_PATH": str(copy / "collections"),
                "STATE": str(state),
                "ACTING": str(HERE),
                "PYTHONPATH": str(HERE),
            },
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
        )
        return done.returncode, json.loads(state.read_text())["log"], done.stdout + done.stderr

    run.adopted = settings.parent / "vars_adopted.yml"
    return run


def test_without_a_name_nothing_is_changed_and_no_secret_is_shown(run):
    status, log, said = run("-vvvv")
    assert status == 0, said
    assert log == ["probe", f"probe without {LEAVING}"]
    assert "lago_api_environment_variable_encryption_primary_key" in said.partition("Lines for vars.yml")[0]
    assert "Nothing was changed. To do it: just adopt-compose /opt/lago -e confirm=lago.example.com" in said
    assert "of-the-project" not in said
    assert not run.adopted.exists()
    assert "changed=0" in said


def test_from_the_plan_to_the_end_and_once_more(run):
    status, log, said = run("--extra-vars=confirm=lago.example.com", "-vvv")
    assert status == 0, said
    looked = f"probe without {LEAVING}"
    assert log == [
        "probe",
        looked,
        f"postgres v1.51.0 {KEY}",
        f"valkey v1.51.0 {KEY}",
        f"traefik v1.51.0 {KEY} images",
        f"lago v1.51.0 {KEY} images",
        "move",
        looked,
        f"traefik v1.51.0 {KEY}",
        f"lago v1.51.0 {KEY}",
        f"backup v1.51.0 {KEY}",
        "record",
    ]
    assert "of-the-project" not in said
    assert KEY in run.adopted.read_text()
    assert "/opt/lago is adopted. Stored credentials that were decrypted here: 1" in said

    status, log, said = run("--extra-vars=confirm=lago.example.com")
    assert status == 0, said
    assert log == ["probe", looked]
    assert "nothing is left to do" in said
    assert "changed=0" in said

    # What was adopted counts from now on, whatever vars.yml says.
    inventory = run.adopted.parents[2] / "hosts"
    shown = subprocess.run(["ansible-inventory", f"--inventory={inventory}", f"--host={HOST}"], capture_output=True)
    assert json.loads(shown.stdout)["lago_api_environment_variable_secret_key_base"] == KEY


def test_all_that_is_wrong_is_said_together_before_anything_is_changed(run):
    project = project_of(containers_of(), names=["one", "two"], rsa_key="")
    taken = {**SERVER, "listeners": [["0.0.0.0", "443/tcp", "process nginx"]]}
    status, log, said = run("--extra-vars=confirm=lago.example.com", change={"project": project, "server": taken})
    assert status != 0
    assert [one for one in log if not one.startswith("probe")] == []
    words = " ".join(said.split())
    for problem in ("has the projects one, two", "no LAGO_RSA_PRIVATE_KEY", "taken by process nginx"):
        assert problem in words
    assert not run.adopted.exists()
