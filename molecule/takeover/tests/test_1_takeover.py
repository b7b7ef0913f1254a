# SPDX-FileCopyrightText: 2026 The selfhosting.lago authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""From MASH to this project: what was there is there, and works."""

import os
from pathlib import Path
from types import SimpleNamespace
from urllib.parse import urlsplit

import pytest
import yaml
from conftest import server_of
from verify import former, plays
from verify.former import LAGO_ONLY, SHARED, WAYS
from verify.inside import containers, invocations
from verify.outside import Site
from verify.waiting import eventually

NEW_UNITS = {"mash-lago-api", "mash-lago-api-worker", "mash-lago-api-clock", "mash-lago-front", "mash-lago-pdf"}
SHARED_UNITS = {"mash-traefik", "mash-postgres", "mash-valkey", "mash-container-socket-proxy"}


def open_site(host, values):
    directory = Path(os.environ["MOLECULE_EPHEMERAL_DIRECTORY"]) / "keys"
    key = values["lago_migrate_environment_variable_lago_org_api_key"]
    return Site(values["lago_hostname"], server_of(host).address, directory / "certificate.pem", key)


@pytest.fixture(scope="module")
def story(host, user_values):
    """A run that stops, the lines that it offers pasted, a run with them, and another one."""
    name = server_of(host).name
    site = open_site(host, user_values)
    with site.answering():
        invoices = eventually(
            lambda: site.get("/api/api/v1/invoices", Authorization=site.authorization).json["invoices"]
        )
    told = SimpleNamespace(way=WAYS[name], file_url=invoices[0]["file_url"])
    told.before, told.stored = former.state(host), former.files(host, "/mash/lago/data")
    told.credentials, told.invocations = former.credentials(host), units_of_others(host)
    told.refused = plays.attempt(name)
    told.after_refusal = former.state(host)
    lines = former.offered(told.refused.stdout, told.way)
    pasted = Path(os.environ["MOLECULE_EPHEMERAL_DIRECTORY"]) / f"{name}-pasted.yml"
    pasted.write_text(lines)
    told.lines = yaml.safe_load(lines)
    told.check = plays.play(name, "--check", f"--extra-vars=@{pasted}")
    told.after_check = former.state(host)
    done = plays.attempt(name, f"--extra-vars=@{pasted}")
    assert done.returncode == 0, done.stdout + done.stderr
    told.first, told.output = plays.recorded(name)[-1], former.plain(done.stdout)
    told.second = plays.play(name, f"--extra-vars=@{pasted}")
    return told


def units_of_others(host) -> dict[str, str]:
    return {name: value for name, value in invocations(host).items() if "lago" not in name}


def test_a_run_without_a_decision_stops_and_offers_both_ways(story):
    assert story.refused.returncode != 0
    assert "mash-postgres: mash-notes, database notes" in former.plain(story.refused.stdout)
    for heading in (SHARED, LAGO_ONLY):
        assert yaml.safe_load(former.offered(story.refused.stdout, heading))
    assert story.after_refusal == story.before


def started(changes):
    """MASH's own units restart with what they require, so that one may be down at the moment when it is replaced."""
    return (
        {unit: action.removeprefix("re") for unit, action in changes.items()} if isinstance(changes, dict) else changes
    )


def test_check_mode_changes_nothing_and_announces_the_run(story):
    assert story.after_check == story.before
    for kind, announced in story.check.changes.items():
        assert (kind, started(announced)) == (kind, started(story.first.changes[kind]))


def test_a_second_run_changes_nothing(story):
    assert story.second.tasks == []
    assert not any(story.second.changes.values())


def test_every_row_job_file_and_credential_is_there(host, story):
    assert former.rows(host) == story.before["rows"]
    assert story.before["rows"]["events"] == 20
    assert former.queued_jobs(host) == story.before["jobs"] == 5
    assert former.files(host, "/mash/lago/data") == story.stored != {}
    assert former.credentials(host) == story.credentials
    assert "sk_live_of_the_customer" in story.credentials


def test_a_takeover_is_not_an_upgrade(host, story):
    images = {one["Config"]["Image"] for one in containers(host).values() if "getlago/api" in one["Config"]["Image"]}
    assert images == {"docker.io/getlago/api:v1.51.0"}
    assert "Lago stays at v1.51.0, as on the server. v1.52.1 is out" in story.output


def test_one_clock_and_one_worker(host, story):
    assert set(containers(host)) >= NEW_UNITS
    assert former.processes(host, "[c]lockwork") == 1
    assert former.processes(host, "^[s]idekiq") == 1


def test_old_addresses_stay_valid(host, story, site):
    for path in ("", "/api", "/api/"):
        assert site.client(path).invoices.find_all()["invoices"]
    assert site.post(f"/api/webhooks/stripe/{'0' * 8}").status == 200
    link = urlsplit(story.file_url)
    assert link.path.startswith("/api/rails/active_storage/")
    moved = site.get(link.path)
    assert moved.status == 302
    assert site.get(urlsplit(moved.headers["location"])._replace(scheme="", netloc="").geturl()).body.startswith(
        b"%PDF"
    )
    assert "LAGO_API_URL=https://lago.example.test/api" in containers(host)["mash-lago-api"]["Config"]["Env"]


def test_the_other_service_works_and_its_files_are_untouched(host, story, site):
    assert eventually(lambda: site.get("/", Host="notes.example.test").body == b"a note of another service")
    now = former.files(host)
    theirs = [path for path in story.before["files"] if "notes" in path]
    assert len(theirs) == 4
    assert {path: now[path] for path in theirs} == {path: story.before["files"][path] for path in theirs}


def test_the_password_of_the_database_changed_together_with_lago(host, story):
    if story.way != SHARED:
        pytest.skip("Postgres is still MASH's here, and so are its passwords")
    assert story.first.units["mash-lago-migrate.service"] == "run"
    assert story.first.units["mash-lago-database-password.service"] == "run"
    (url,) = (line for line in host.file("/mash/lago/api/env").content_string.splitlines() if "DATABASE_URL=" in line)
    assert url in host.file("/mash/lago/migrate/env").content_string
    for address, accepted in ((url, True), ("=postgresql://lago:of-before-february@mash-postgres:5432/lago", False)):
        query = "docker exec mash-postgres psql --no-psqlrc %s --command='SELECT 1'"
        assert (host.run(query, address.partition("=")[2]).rc == 0) is accepted


def test_certificates_keep_their_file(host, story):
    assert former.files(host)["/mash/traefik/ssl/acme.json"] == story.before["files"]["/mash/traefik/ssl/acme.json"]


def test_the_copy_of_vars_yml_is_removed_with_a_word(host, story):
    assert "will remove /mash/vars.yml: MASH left a copy of your vars.yml there" in story.output
    assert not host.file("/mash/vars.yml").exists
    assert not host.file("/mash/git_hash.yml").exists


def test_shared_services_go_where_the_user_wanted_them(host, story):
    ours = {
        name
        for name in SHARED_UNITS
        if "[X-SelfHosting]" in host.check_output("cat /etc/systemd/system/%s.service", name)
    }
    if story.way == SHARED:
        assert ours == SHARED_UNITS
        assert host.file("/mash/postgres/data/PG_VERSION").content_string.strip() == "17"
        assert host.file("/mash/valkey/data/appendonlydir").is_directory
    else:
        assert ours == set()
        # Nothing of theirs was restarted.
        assert units_of_others(host) == story.invocations
