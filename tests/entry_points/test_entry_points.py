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
    def run(entry, place, verb, tags=None, further=(), server=server):
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
            "root": ["setup.yml", f"--tags={tags or TAGS.get(verb)}"],
            "playbooks": [f"playbooks/{verb}.yml"],
            "installed": [f"selfhosting.lago.{verb}"],
            "own": [f"{verb}.yml"],
        }[entry]
        command = [
            Path(sys.executable).with_name("ansible-playbook"),
            f"--inventory={inventory(place)}",
            *playbook,
            *further,
        ]
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


def asked_of(calls):
    """Products whose files are written, operations on units with the units, and Ansible's own modules."""
    found = []
    for call in calls[1:]:
        arguments = call["arguments"]
        if call["module"] == "server_units" and arguments["operation"] != "step":
            found.append((arguments["operation"], *sorted(unit.partition(".")[0] for unit in arguments["units"])))
        elif call["module"] == "server_removal":
            if not arguments.get("announce"):
                found.append(("remove", *(unit.partition(".")[0] for unit in arguments["units"])))
        elif call["module"] not in ("server_files", "server_images", "server_units", "server_run_end"):
            found.append((call["module"],))
    return found


TRAEFIK = ("mash-container-socket-proxy", "mash-traefik")
POSTGRES = ("mash-postgres", "mash-postgres-partitions")
LAGO = (
    *("mash-lago-api", "mash-lago-api-clock", "mash-lago-api-worker"),
    *("mash-lago-front", "mash-lago-pdf", "mash-lago-watchdog"),
)
EACH = [("converge", *TRAEFIK), ("converge", *POSTGRES), ("converge", "mash-valkey"), ("converge", *LAGO)]
BACKUP = ("mash-backup", "mash-backup-verify")
# Its files say what the others are, so it follows each of them.
TOLD = ("converge", *BACKUP)
EVERY = [*EACH, TOLD]
ALL = tuple(sorted([*TRAEFIK, *POSTGRES, "mash-valkey", *LAGO, *BACKUP]))


@pytest.mark.parametrize(
    ("tags", "further", "expected"),
    [
        ("install-all", (), EVERY),
        ("setup-all,start-all", (), [*EVERY, ("converge", *ALL)]),
        ("install-lago", (), EVERY),
        ("setup-valkey", (), [EACH[2], TOLD]),
        ("install-postgres,start-group", ("-egroup=postgres",), [EACH[1], TOLD, ("converge", *POSTGRES)]),
        ("install-traefik", (), EACH[:1]),
        ("setup-container-socket-proxy", (), EACH[:1]),
        ("setup-docker,install-timesync,setup-system-user", (), []),
        ("start", (), [("converge", *ALL)]),
        ("start-group", ("-egroup=lago-api-worker",), [("converge", "mash-lago-api-worker")]),
        ("restart", (), [("restart", *ALL)]),
        ("restart-group", ("-egroup=reverse-proxies",), [("restart", *TRAEFIK)]),
        ("stop", (), [("stop", *ALL)]),
        ("stop-group", ("-egroup=lago",), [("stop", *LAGO)]),
        (
            "start-all",
            ("-edevture_systemd_service_manager_conditional_restart_enabled=false",),
            [("restart", *ALL)],
        ),
    ],
)
def test_tags(calls, tags, further, expected):
    assert asked_of(calls("root", PLACES[0], "setup", tags, further)) == expected


@pytest.fixture(scope="session")
def other_server(tmp_path_factory, server):
    """Makes a server that the probe sees otherwise."""

    @functools.cache
    def make(change):
        path = tmp_path_factory.mktemp("server") / "server.json"
        path.write_text(json.dumps({**json.loads(server.read_text()), **json.loads(change)}))
        return path

    return make


def test_only_setup_removes_what_is_switched_off(calls, other_server):
    unit = {
        "product": "mash-valkey",
        "active": True,
        "enabled": True,
        "stale": [],
        "state": "active/running",
        "image": "",
    }
    there = other_server(json.dumps({"units": {"mash-valkey.service": unit}}))
    off = ("-evalkey_enabled=false", "-elago_redis_hostname=redis.example.com")
    assert asked_of(calls("root", PLACES[0], "setup", "setup-valkey", off, there)) == [TOLD, ("remove", "mash-valkey")]
    assert asked_of(calls("root", PLACES[0], "setup", "install-valkey", off, there)) == [TOLD]
    assert asked_of(calls("root", PLACES[0], "setup", "setup-postgres", off, there)) == [("converge", *POSTGRES), TOLD]


@pytest.mark.parametrize("tags", ["setup-system-user", "install-lago"])
def test_the_system_user_is_made_by_every_tag_that_needs_it(calls, other_server, tags):
    nobody = {"uid": "", "gid": "", "exists": False, "home": "", "shell": ""}
    found = asked_of(calls("root", PLACES[0], "setup", tags, (), other_server(json.dumps({"user": nobody}))))
    assert found[:3] == [("group",), ("user",), ("file",)]


def test_a_tag_of_a_service_that_is_not_carried_does_nothing(calls):
    assert asked_of(calls("root", PLACES[0], "setup", "install-exim-relay")) == []


VARIABLE = "lago_api_environment_variable_"
REFUSED = [
    ({"mash_playbook_generic_secret_key": "changeme"}, "it is a placeholder that everybody knows"),
    ({"lago_hostname": "https://lago.example.com"}, "without scheme and port"),
    ({"lago_api_environment_variable_lago_rsa_private_key": "no key"}, "one line of base64"),
    ({"lago_path_prefix": "/billing"}, "works at the root of a host name only"),
    ({"postgres_connection_port": 70000}, "a port from 1 to 65535"),
    ({"lago_environment_variables_tz": "Mars/Base"}, "a time zone such as UTC"),
    ({f"{VARIABLE}lago_use_aws_s3": True}, "set the name of the bucket"),
    ({f"{VARIABLE}lago_smtp_port": 465}, "STARTTLS only"),
    ({"lago_api_environment_variables_additional_variables": "OTEL_EXPORTER=false"}, "any value switches it on"),
    ({"mash_playbook_reverse_proxy_type": "nginx"}, "playbook-managed-traefik"),
    ({"lago_version": "v1.15.0"}, "not older than v1.16.0"),
]


@pytest.mark.parametrize(("values", "said"), REFUSED, ids=[next(iter(values)) for values, _said in REFUSED])
def test_bad_input_is_refused_before_anything_is_touched(values, said, inventory, server, tmp_path):
    """The whole playbook."""
    calls = tmp_path / "calls"
    environment = without_clone(
        ANSIBLE_CALLBACK_PLUGINS=str(HERE / "callback"),
        ANSIBLE_CALLBACKS_ENABLED="recorder",
        RECORDER_SERVER=str(server),
        RECORDER_CALLS=str(calls),
    )
    program = Path(sys.executable).with_name("ansible-playbook")
    command = [program, f"--inventory={inventory(PLACES[0])}", f"--extra-vars={json.dumps(values)}", "setup.yml"]
    done = subprocess.run(command, cwd=REPOSITORY, env=environment, capture_output=True, text=True)
    told = done.stdout + done.stderr
    assert done.returncode != 0
    assert "Nothing was changed on any host; " in told
    assert said in told
    # The probe looks and changes nothing; no other module was called.
    assert {json.loads(line)["module"] for line in calls.read_text().splitlines()} == {"server_probe"}
