# SPDX-FileCopyrightText: 2026 The selfhosting.lago authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""No secret value of the run is anywhere but in the files that processes read."""

import json
import os
import subprocess
from pathlib import Path

import pytest
import yaml
from verify import inside, secrets
from verify.plays import REPOSITORY

HERE = Path(__file__).resolve().parents[1]
# Lago keeps API keys in its database as they are.
DATABASE = "/mash/postgres/data/"
# Files in which secrets belong; all else of the server is searched as well.
EXPECTED = {
    "/mash/lago/api/env",
    "/mash/lago/migrate/env",
    "/mash/postgres/databases.sql",
    "/mash/postgres/env-postgres-server",
    "/mash/postgres/mash-lago-password.sql",
    "/mash/traefik/config/certificates/0-key.pem",
    "/mash/valkey/config/password",
    "/mash/valkey/config/valkey.conf",
}
# What is no text would not be read here.
PRINTABLE = r"tr --complement --delete '\11\12\40-\176'"
# Notes every command line on the server, a hundred times a second, until it is stopped: a client of Docker may be gone
# after 50 ms.
WATCH = r"""
import glob, time
seen = set()
while True:
    for path in glob.glob("/proc/[0-9]*/cmdline"):
        try:
            line = open(path, "rb").read()
        except OSError:
            continue
        if line not in seen:
            seen.add(line)
            with open("/run/command-lines", "ab") as file:
                file.write(line.replace(b"\0", b" ") + b"\n")
    time.sleep(0.01)
"""


@pytest.fixture
def found(host, user_values, keys) -> dict[str, str]:
    settings = user_values | yaml.safe_load((HERE / "host_vars" / "hardening.yml").read_text())
    return secrets.values(host, settings, keys)


@pytest.fixture
def watched(host):
    """The command lines of the server while a test runs."""
    host.run("rm -f /run/command-lines")
    program = secrets.quote_word(WATCH)
    host.check_output(f"systemd-run --quiet --unit=watch-command-lines python3 -c {program}")
    yield lambda: host.file("/run/command-lines").content.decode(errors="replace")
    host.run("systemctl stop watch-command-lines; rm -f /run/command-lines")


def test_there_are_secrets_to_look_for(found):
    assert len(found) >= 15
    for name in ("SECRET_KEY_BASE", "database password", "ENCRYPTION_PRIMARY_KEY", "REDIS_PASSWORD"):
        assert found[name]


def test_only_the_files_that_processes_read_hold_them(host, found):
    files = secrets.files_with(host, found)
    assert any(path.startswith(DATABASE) for path in files)
    files = {path: rights for path, rights in files.items() if not path.startswith(DATABASE)}
    assert set(files) == EXPECTED
    assert {path: rights for path, rights in files.items() if rights.split()[0] not in ("600", "640")} == {}
    for path, rights in files.items():
        assert rights.split()[1] == "mash:mash", path
    # No directory on the way lets others in.
    assert host.file("/mash").mode & 0o007 == 0


def test_none_is_in_what_systemd_and_docker_show(host, found):
    steps = [f"mash-{name}.service" for name in ("lago-database-password", "lago-migrate", "postgres-databases")]
    units = " ".join([*inside.installed_units(host), *steps])
    texts = {
        "units": host.check_output(f"systemctl cat {units}; systemctl show {units}"),
        "journal": host.check_output(f"journalctl --no-pager --output=export | {PRINTABLE}"),
        "processes": host.check_output("ps -eo args"),
        "labels": json.dumps([one["Config"]["Labels"] for one in inside.containers(host).values()]),
        "logs": host.check_output(
            f"find /var/log -type f -not -path '/var/log/journal/*' -exec cat {{}} + | {PRINTABLE}"
        ),
        "docker events": host.check_output("docker events --since 24h --until 0s"),
    }
    assert "mash-lago-api" in texts["journal"]
    assert "container" in texts["docker events"]
    for place, text in texts.items():
        assert secrets.named(text, found) == [], place


def test_none_is_in_what_ansible_prints(server, found, tmp_path):
    """With other values of all that is secret, so that every file with a secret has a difference to show.

    In a file: Ansible shows its own command line.
    """
    changed = {
        "mash_playbook_generic_secret_key": "another-secret-key-of-all-0123456789",
        "postgres_connection_password": "another password of root",
        "valkey_connection_password": "another-password-of-valkey",
    }
    replaced = [
        "secret_key_base",
        *(f"encryption_{key}" for key in ("primary_key", "deterministic_key", "key_derivation_salt")),
    ]
    file = tmp_path / "changed.json"
    file.write_text(json.dumps({**changed, "lago_keys_to_replace": replaced}))
    command = ["ansible-playbook", "-vvvv", "--check", "--diff", f"--limit={server.name}", "setup.yml"]
    command += [f"--inventory={os.environ['MOLECULE_INVENTORY_FILE']}", f"--extra-vars=@{file}"]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True)
    text = done.stdout + done.stderr
    assert done.returncode == 0, text[-2000:]
    shown = {path for path in EXPECTED if f"+++ after: {path}" in text}
    assert shown == EXPECTED - {"/mash/traefik/config/certificates/0-key.pem"}
    assert secrets.named(text, found | changed) == []


def test_none_is_seen_while_a_run_writes_and_restarts(host, server, found, watched, play):
    """A real change of a file with secrets: the modules' own arguments, and what containers are made with."""
    environment = {"valkey_environment_variables_additional_variables": "ANOTHER=value"}
    run = play("-vvvv", "--diff", **environment)
    restarted = {unit for unit, action in run.units.items() if action == "restart"}
    # Workers stop before Valkey and start after it.
    assert restarted == {"mash-valkey.service", "mash-lago-api-worker.service"}
    lines = watched()
    assert "docker create" in lines
    assert secrets.named(lines, found) == []
    left = host.check_output("ls -A /root/.ansible/tmp 2>/dev/null || true")
    assert left == ""


def test_the_socket_proxy_shows_none(host, found):
    """Asked from Traefik's own network, for everything that it answers."""
    pid = host.check_output("docker inspect --format '{{.State.Pid}}' mash-traefik")
    (network,) = json.loads(host.check_output("docker network inspect mash-container-socket-proxy"))
    addresses = {one["Name"]: one["IPv4Address"].split("/")[0] for one in network["Containers"].values()}
    program = f"""
import json, urllib.request
proxy = "http://{addresses["mash-container-socket-proxy"]}:2375"
def ask(path):
    return urllib.request.urlopen(proxy + path, timeout=10).read().decode()
listed = ask("/v1.41/containers/json?all=1")
print(listed)
for one in json.loads(listed):
    print(ask("/v1.41/containers/" + one["Id"] + "/json"))
print(ask("/version"))
"""
    text = host.check_output("nsenter --target %s --net python3 -c %s", pid, program)
    assert text.count('"NetworkSettings"') >= 2 * 9
    assert '"Env":["' not in text
    assert secrets.named(text, found) == []
    # Docker itself would show them: the search can find something.
    assert secrets.named(host.check_output("docker inspect $(docker ps -q)"), found) != []
