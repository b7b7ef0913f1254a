# SPDX-FileCopyrightText: 2026 The selfhosting.lago authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""One inventory gives the same files through every playbook, from a clone and from an installed collection.

Wherever users put their values: an inventory's group_vars are weaker than the group_vars beside a playbook.
"""

import functools
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from ansible.plugins.loader import init_plugin_loader

REPOSITORY = Path(__file__).resolve().parents[2]
HERE = Path(__file__).parent
VALUES = REPOSITORY / "tests" / "unit" / "inventory" / "host_vars" / "lago.example.com" / "vars.yml"
HOST = "lago.example.com"
PLACES = [f"host_vars/{HOST}/vars.yml", "group_vars/mash_servers.yml", "group_vars/all.yml"]
# Each has another value by default, derived or from a role.
CHOSEN = {
    "lago_database_password": "the-users-own",
    "postgres_max_connections": 321,
    "lago_api_environment_variable_secret_key_base": "secret-key-base-of-the-user",
    "lago_api_container_additional_networks_custom": ["network-of-the-user"],
}
OWN_PLAYBOOK = "- import_playbook: selfhosting.lago.{verb}\n"
VERBS = ["setup", "start", "restart", "stop", "preflight"]
TAGS = {"setup": "setup-all,start", "start": "start-all", "restart": "restart-all", "stop": "stop-all"}


def without_clone(**variables):
    """The environment without what points to this clone."""
    pointers = ("ANSIBLE_CONFIG", "ANSIBLE_COLLECTIONS_PATH")
    return {**{name: value for name, value in os.environ.items() if name not in pointers}, **variables}


@pytest.fixture(scope="session")
def server(tmp_path_factory):
    """The answer of the probe on a server on which nothing is installed yet."""
    init_plugin_loader([str(REPOSITORY / "collections")])
    from virtual_host import SERVER

    path = tmp_path_factory.mktemp("server") / "server.json"
    # The network of the user's own has to be there.
    path.write_text(json.dumps({**SERVER, "networks": CHOSEN["lago_api_container_additional_networks_custom"]}))
    return path


@pytest.fixture(scope="session")
def inventory(tmp_path_factory):
    """Makes an inventory with the user's values in the file that is asked for."""

    @functools.cache
    def make(place):
        directory = tmp_path_factory.mktemp("inventory")
        # Hosts of a group of the user's own have the values of the parent, too.
        (directory / "hosts").write_text(f"[servers_of_a_user]\n{HOST}\n[mash_servers:children]\nservers_of_a_user\n")
        values = directory / place
        values.parent.mkdir(parents=True)
        # The name exists on paper only.
        values.write_text(
            VALUES.read_text()
            + "mash_playbook_dns_check_enabled: false\n"
            + json.dumps(CHOSEN).strip("{}").replace(', "', '\n"')
            + "\n"
        )
        return directory / "hosts"

    return make


@pytest.fixture(scope="session")
def installed(tmp_path_factory):
    """A directory with the installed collection, and a playbook of the user's own for each verb; no clone in sight."""
    directory = tmp_path_factory.mktemp("installed")
    galaxy = Path(sys.executable).with_name("ansible-galaxy")
    environment = without_clone(ANSIBLE_COLLECTIONS_PATH=str(directory))
    build = [galaxy, "collection", "build", f"--output-path={directory}"]
    subprocess.run(build, cwd=REPOSITORY, env=environment, check=True, capture_output=True)
    (archive,) = directory.glob("*.tar.gz")
    install = [galaxy, "collection", "install", "--offline", f"--collections-path={directory}", archive]
    subprocess.run(install, cwd=directory, env=environment, check=True, capture_output=True)
    for verb in VERBS:
        (directory / f"{verb}.yml").write_text(OWN_PLAYBOOK.format(verb=verb))
    return directory


@pytest.fixture(scope="session")
def calls(tmp_path_factory, inventory, server, installed):
    """Runs a verb through an entry point and returns the calls of modules that it would make on the server."""

    @functools.cache
    def run(entry, place, verb):
        clone = entry in ("root", "playbooks")
        directory = REPOSITORY if clone else installed
        recorded = tmp_path_factory.mktemp("calls") / "calls"
        environment = without_clone(
            ANSIBLE_CALLBACK_PLUGINS=str(HERE / "callback"),
            ANSIBLE_CALLBACKS_ENABLED="recorder",
            RECORDER_SERVER=str(server),
            RECORDER_CALLS=str(recorded),
        )
        if not clone:
            environment["ANSIBLE_COLLECTIONS_PATH"] = str(installed)
        playbook = {
            "root": ["setup.yml", f"--tags={TAGS.get(verb)}"],
            "playbooks": [f"playbooks/{verb}.yml"],
            "installed": [f"selfhosting.lago.{verb}"],
            "own": [f"{verb}.yml"],
        }[entry]
        command = [Path(sys.executable).with_name("ansible-playbook"), f"--inventory={inventory(place)}", *playbook]
        done = subprocess.run(command, cwd=directory, env=environment, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr
        found = [json.loads(line) for line in recorded.read_text().splitlines()]
        code = {Path(path).resolve() for call in found for path in call.pop("code")}
        assert all(directory in path.parents for path in code), f"the code of another place was run: {code}"
        return found

    return run


def files_of(calls):
    """Path to content."""
    found = {}
    for call in calls:
        if call["module"] == "server_files":
            for file in call["arguments"]["files"]:
                found[file["path"]] = file.get("content") or call["arguments"]["secrets"][file["path"]]
    return found


@pytest.fixture(scope="session")
def files(calls):
    return files_of(calls("root", PLACES[0], "setup"))


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("entry", ["root", "playbooks", "installed", "own"])
def test_setup_renders_the_same_files(calls, files, entry, place):
    found = calls(entry, place, "setup")
    assert files_of(found) == files
    # Owners, modes, networks, images and the order of things as well.
    assert found == calls("root", PLACES[0], "setup")


@pytest.mark.parametrize("entry", ["playbooks", "installed"])
@pytest.mark.parametrize("verb", ["start", "restart", "stop"])
def test_the_other_verbs_ask_for_the_same(calls, entry, verb):
    """They render no files: what they ask for is the list of units with their images."""
    found = calls(entry, PLACES[1], verb)
    assert any(call["module"] == "server_units" for call in found)
    assert found == calls("root", PLACES[1], verb)


@pytest.mark.parametrize("entry", ["playbooks", "installed"])
def test_preflight_only_looks(calls, entry):
    (found,) = calls(entry, PLACES[1], "preflight")
    assert found == calls("root", PLACES[1], "setup")[0]


def test_what_the_user_says_wins(files):
    assert "postgresql://lago:the-users-own@" in files["/mash/lago/api/env"]
    assert "SECRET_KEY_BASE=secret-key-base-of-the-user\n" in files["/mash/lago/api/env"]
    assert "max_connections=321" in files["/etc/systemd/system/mash-postgres.service"]


def test_the_services_are_wired(files):
    unit = files["/etc/systemd/system/mash-lago-api.service"]
    for network in ("mash-postgres", "mash-valkey", "traefik", "network-of-the-user"):
        assert f" {network} " in unit, network
    assert "'the-users-own'" in files["/mash/postgres/databases.sql"]


def test_versions_are_those_of_the_list(files):
    versions = (REPOSITORY / "versions.yml").read_text()
    lago = next(line.split(": ")[1] for line in versions.splitlines() if line.startswith("  lago: "))
    assert f"getlago/api:{lago}\n" in files["/etc/systemd/system/mash-lago-api.service"]
