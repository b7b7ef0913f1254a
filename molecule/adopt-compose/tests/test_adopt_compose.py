# SPDX-FileCopyrightText: 2026 The selfhosting.lago authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""From the vendor's compose project to this one: all that was there is there and works, and the project is left."""

import base64
import json
import os
import stat
from pathlib import Path
from types import SimpleNamespace
from urllib.parse import urlsplit

import pytest
import yaml
from conftest import server_of
from verify import former, inside, plays
from verify.former import TABLES, plain
from verify.waiting import eventually

PLAYBOOK = "playbooks/adopt_compose.yml"
PROJECT = {f"lago-{name}" for name in ("db", "redis", "api", "worker", "clock", "front", "pdf")}
VOLUMES = "/var/lib/docker/volumes/lago_lago_{}_data/_data"
RECORD = "/mash/selfhosting-lago/records/mash-lago-adopted.json"
UNIT = "selfhosting-lago-adopt.service"
# Kills the program between its first step and the next, however fast the machine is.
KILL = rf"""
until grep --quiet --no-messages '"done": \["stop"' {RECORD}; do sleep 0.05; done
systemctl kill --signal=KILL {UNIT}
"""


def project(host) -> dict[str, dict]:
    found = json.loads(host.check_output("docker inspect $(docker ps --all --quiet --filter name=^lago-)"))
    return {one["Name"].lstrip("/"): one for one in found}


def looks(host) -> dict:
    """What nobody may change who only says what would be done."""
    return {
        "containers": {
            name: (one["Id"], one["State"]["StartedAt"], one["HostConfig"]["RestartPolicy"]["Name"])
            for name, one in project(host).items()
        },
        "mash": host.file("/mash").exists,
        "units": host.check_output("ls /etc/systemd/system"),
    }


def rows(host, container: str, user: str) -> dict[str, int]:
    queries = " UNION ALL ".join(f"SELECT '{name}', count(*) FROM {name}" for name in (*TABLES, "users"))
    command = f"docker exec {container} psql --username={user} --dbname=lago --tuples-only --no-align --command=%s"
    return {
        name: int(count) for name, count in (line.split("|") for line in host.check_output(command, queries).split())
    }


def jobs(host, container: str) -> list[str]:
    return host.check_output(f"docker exec {container} valkey-cli lrange queue:payments 0 -1").splitlines()


def below(host, path: str) -> dict[str, str]:
    """Relative path to checksum."""
    return {name.removeprefix(f"{path}/"): checksum for name, checksum in former.files(host, path).items()}


@pytest.fixture(scope="module")
def story(host):
    """What would be done; a run that is killed; a run that completes it; and a run of setup.yml."""
    name = server_of(host).name
    path = Path(os.environ["MOLECULE_EPHEMERAL_DIRECTORY"]) / "adopted" / "vars_adopted.yml"
    path.unlink(missing_ok=True)
    told = SimpleNamespace(path=path, before=looks(host), rows=rows(host, "lago-db", "lago"))
    told.jobs, told.credentials = (
        jobs(host, "lago-redis"),
        host.check_output("docker exec lago-api rails standin:secrets"),
    )
    told.volumes = {what: below(host, VOLUMES.format(what)) for what in ("storage", "rsa")}
    told.key = host.file(f"{VOLUMES.format('rsa')}/private.pem").content_string

    def adopt(*arguments, **variables):
        variables = {"adopt_directory": "/opt/lago", "adopt_variables_path": str(path), **variables}
        return plays.attempt(name, *arguments, playbook=PLAYBOOK, **variables)

    told.plan, told.plan_run = adopt("-v"), plays.recorded(name)[-1]
    told.after_plan, told.path_after_plan = looks(host), path.exists()
    host.check_output("systemd-run --unit=kill-it --quiet bash -c %s", KILL)
    told.killed = adopt(confirm=name)
    told.clock_after_kill = former.processes(host, "[c]lockwork")
    told.done = adopt("-v", confirm=name)
    assert told.done.returncode == 0, told.done.stdout + told.done.stderr
    # As Ansible reads it where it stands beside vars.yml.
    told.second_run = plays.play(name, f"--extra-vars=@{path}")
    return told


def secrets_of(story) -> list[str]:
    return [
        "-of-the-project",
        "of the vendor's project",
        "of%20the%20vendor",
        base64.b64encode(story.key[:90].encode()).decode(),
    ]


def test_without_a_name_it_says_what_would_be_done_and_changes_nothing(story):
    said = plain(story.plan.stdout)
    assert story.plan.returncode == 0, said[-3000:] + story.plan.stderr
    for words in (
        "Lago v1.51.0, which stays",
        "Postgres 15.",
        'lago_api_environment_variable_lago_from_email: "billing@example.test"',
        "lago_api_environment_variable_secret_key_base: (a secret)",
        "payment_providers: 1 stored credentials were decrypted with the keys that are moved",
        "Nothing was changed. To do it: just adopt-compose /opt/lago -e confirm=adopted",
    ):
        assert words in said
    assert story.plan_run.tasks == []
    assert story.after_plan == story.before
    assert not story.path_after_plan


def test_no_secret_is_shown_at_any_verbosity(story):
    for run in (story.plan, story.killed, story.done):
        for secret in secrets_of(story):
            assert secret not in run.stdout + run.stderr


def test_a_run_that_is_killed_says_so_and_leaves_no_clock(story):
    assert story.killed.returncode != 0
    assert "The move failed" in plain(story.killed.stdout + story.killed.stderr)
    assert story.clock_after_kill == 0
    assert "An earlier run began with that" in plain(story.done.stdout)


def test_every_row_job_file_and_credential_is_here(host, story):
    assert story.rows["events"] == 20
    assert rows(host, "mash-postgres", "root") == story.rows
    assert len(story.jobs) == 5
    assert jobs(host, "mash-valkey") == story.jobs
    assert below(host, "/mash/lago/data") == story.volumes["storage"] != {}
    assert host.check_output("docker exec mash-lago-api rails standin:secrets") == story.credentials
    assert "sk_live_of_the_customer" in story.credentials
    assert inside.sql(host, "SHOW server_version").startswith("17.")


def test_the_key_that_signs_is_that_of_the_volume(host, story, site):
    (line,) = (
        line for line in host.file("/mash/lago/api/env").content_string.splitlines() if line.startswith("LAGO_RSA_")
    )
    assert base64.b64decode(line.partition("=")[2]).decode() == story.key
    public = host.check_output(f"openssl rsa -in {VOLUMES.format('rsa')}/private.pem -pubout 2>/dev/null")
    assert site.client().webhooks.public_key().decode().strip() == public


def test_settings_are_in_a_file_that_only_its_owner_reads(story):
    assert stat.S_IMODE(story.path.stat().st_mode) == 0o600
    written = yaml.safe_load(story.path.read_text())
    assert written["lago_api_environment_variable_encryption_primary_key"] == "primary-key-of-the-project-0123456789"
    assert written["lago_hostname"] == "lago.example.test"
    # That of the server counts, and of vars.yml what comes after an upgrade.
    assert "lago_version" not in written


def test_it_serves_as_before(host, story, site):
    images = {
        one["Config"]["Image"] for one in inside.containers(host).values() if "getlago/api" in one["Config"]["Image"]
    }
    assert images == {"docker.io/getlago/api:v1.51.0"}
    assert site.client("/api").invoices.find_all()["invoices"]
    (invoice,) = site.get("/api/v1/invoices", Authorization=site.authorization).json["invoices"]
    link = urlsplit(invoice["file_url"])
    moved = site.get(link.path)
    assert moved.status == 302
    assert site.get(urlsplit(moved.headers["location"])._replace(scheme="", netloc="").geturl()).body.startswith(
        b"%PDF"
    )
    assert "LAGO_API_URL=https://lago.example.test/api" in inside.containers(host)["mash-lago-api"]["Config"]["Env"]


def test_a_second_run_changes_nothing(story):
    assert story.second_run.tasks == []
    assert not any(story.second_run.changes.values())


def test_the_end_says_how_to_go_back_and_how_to_delete_the_project(story):
    said = plain(story.done.stdout)
    assert "Stored credentials that were decrypted here: 1" in said
    assert "docker start lago-db lago-redis" in said
    (delete,) = (line for line in said.splitlines() if "docker volume rm" in line)
    assert {f"lago_lago_{name}_data" for name in ("postgres", "redis", "storage", "rsa")} <= set(delete.split())


def test_one_clock_and_one_worker_also_after_docker_was_restarted(host, story):
    def alone():
        return former.processes(host, "[c]lockwork") == 1 and former.processes(host, "^[s]idekiq") == 1

    assert alone()
    host.check_output("systemctl restart docker")
    eventually(lambda: inside.all_active(host), seconds=240)
    assert alone()
    assert {name for name, one in project(host).items() if one["State"]["Running"]} == set()


def test_the_project_is_left_as_it_was(host, story):
    found = project(host)
    assert set(found) == PROJECT
    assert {name: one["Id"] for name, one in found.items()} == {
        name: one[0] for name, one in story.before["containers"].items()
    }
    assert {what: below(host, VOLUMES.format(what)) for what in story.volumes} == story.volumes
    for name in ("lago-db", "lago-redis"):
        host.check_output("docker start %s", name)
    eventually(lambda: host.run("docker exec lago-db pg_isready --host=127.0.0.1 --username=lago").rc == 0)
    assert rows(host, "lago-db", "lago") == story.rows
    assert jobs(host, "lago-redis") == story.jobs
    host.check_output("docker stop lago-db lago-redis")
