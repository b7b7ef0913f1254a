# SPDX-FileCopyrightText: 2026 The selfhosting.lago authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""What goes when Lago is switched off and when everything is uninstalled, and that all data is there afterwards.

The tests build on each other: each begins where the one before it ended.
"""

import pytest
from verify import backups, inside, plays
from verify.waiting import eventually

UNINSTALL = "playbooks/uninstall.yml"
FRONT = "docker.io/getlago/front:v1.52.1"
# Of tests before these: what no unit of ours names is nobody's business here.
OTHER_IMAGES = {"rclone/rclone:1.75.2", "getlago/api:v1.53.0"}
RECORD = "/mash/selfhosting-lago/records/mash-backup-verified.json"
FILE = "/mash/lago/data/ab/cd/invoice-of-test"
DATA = ("/mash/lago/data", "/mash/lago/api/env", "/mash/postgres/data", "/mash/valkey/data", "/mash/traefik/ssl")


def listed(host, command) -> set[str]:
    return set(host.check_output(command).split())


def units(host) -> set[str]:
    return listed(host, "ls /etc/systemd/system | grep ^mash- || true")


def networks(host) -> set[str]:
    return listed(host, "docker network ls --format '{{.Name}}'") - {"bridge", "host", "none"}


def images(host) -> set[str]:
    return listed(host, "docker images --format '{{.Repository}}:{{.Tag}}'") - OTHER_IMAGES


def containers(host) -> set[str]:
    return listed(host, "docker ps --all --format '{{.Names}}'")


@pytest.fixture(scope="module")
def known():
    """What one test learns for those after it."""
    return {}


def test_a_stranger_and_some_data(host, site, known):
    host.check_output("docker run --detach --name stranger --network mash-lago --entrypoint sleep %s infinity", FRONT)
    host.check_output("install -D -o mash -g mash /etc/hostname %s", FILE)
    for _ in range(3):
        assert eventually(lambda: site.post_event().status == 200)


def key(host) -> str:
    return host.check_output("sha256sum /mash/lago/api/env")


def data(host) -> dict[str, str]:
    """Every row, index and file, and the keys."""
    return {**backups.rows(host), **backups.files(host), "key": key(host)}


def test_without_a_confirmation_nothing_goes(host, server):
    before = inside.invocations(host)
    for variables in ({}, {"confirm": "another.example.com"}):
        done = plays.attempt(server.name, playbook=UNINSTALL, **variables)
        assert done.returncode != 0
        assert f"-e confirm={server.name}" in done.stdout + done.stderr
    assert inside.invocations(host) == before
    assert inside.all_active(host)


def test_data_is_not_deleted_without_a_good_backup(host, server):
    before = inside.invocations(host)
    # As if the last trial had failed.
    host.check_output("rm --force %s", RECORD)
    done = plays.attempt(server.name, playbook=UNINSTALL, confirm=server.name, delete_data=server.name)
    assert done.returncode != 0
    assert "there is none that has passed its trial" in done.stdout + done.stderr
    assert inside.invocations(host) == before


def test_uninstall(host, server, play, known):
    announced = play("--check", playbook=UNINSTALL)
    assert inside.all_active(host)
    known["data"] = data(host)
    arguments = {"playbook": UNINSTALL, "confirm": server.name}
    done = plays.attempt(server.name, **arguments)
    assert done.returncode == 0, done.stdout + done.stderr
    assert announced.changes == plays.recorded(server.name)[-1].changes
    assert units(host) == set()
    # The stranger's network and image stay with it.
    assert containers(host) == {"stranger"}
    assert networks(host) == {"mash-lago"}
    assert images(host) == {FRONT.removeprefix("docker.io/")}
    for path in DATA:
        assert host.file(path).exists
        assert f": {path}" in done.stdout
    assert {**backups.files(host), "key": key(host)}.items() <= known["data"].items()
    assert play(**arguments).tasks == []


def test_installed_again_all_data_is_there(host, site, play, known):
    play()
    assert inside.all_active(host)
    assert data(host) == known["data"]
    assert backups.SECRET in host.check_output("docker exec mash-lago-api rails standin:secrets")
    assert eventually(lambda: site.post_event().status == 200)


def test_a_good_backup(host, known):
    known["stored"] = backups.stored(host)
    assert backups.start(host, "mash-backup-verify.service").rc == 0, backups.said(host, "mash-backup-verify")
    host.check_output(f"cp --archive {backups.DATA}/repository /srv/repository")


def test_lago_switched_off_leaves_its_data(host, server, site, play, known):
    before, stored = inside.invocations(host), data(host)
    announced = play("--check", lago_enabled=False)
    ran = plays.attempt(server.name, lago_enabled=False)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    done = plays.recorded(server.name)[-1]
    assert announced.changes == done.changes
    for path in ("/mash/lago/data", "/mash/lago/api/env"):
        assert f": {path}" in ran.stdout
    removed = {unit for unit, action in done.units.items() if action == "remove"}
    assert removed == {unit for unit in done.invocations if "lago" in unit}
    after = inside.invocations(host)
    assert after == {unit: before[unit] for unit in after}, "what stays was restarted"
    assert after.keys() == before.keys() - removed
    assert not [name for name in units(host) | containers(host) if "lago" in name]
    assert done.changes["networks"] == ["mash-lago-pdf"]
    assert {"mash-lago", "traefik", "mash-postgres"} <= networks(host)
    assert not [name for name in images(host) if "getlago" in name and "front" not in name]
    assert data(host) == stored
    # Traefik knows the host name no more: it does not promise that Lago is back soon.
    eventually(lambda: site.get("/api/v1/events").status == 404)
    second = play(lago_enabled=False)
    assert (second.changes["units"], second.changes["networks"], second.tasks) == ({}, [], [])


def test_a_lost_server_comes_back_from_its_backup(host, server, site, play, known):
    """All data is deleted, and so is the rest; the repository was elsewhere."""
    done = plays.attempt(server.name, playbook=UNINSTALL, confirm=server.name, delete_data=server.name)
    assert done.returncode == 0, done.stdout + done.stderr
    assert not [path for path in DATA if path.endswith("/data") and host.file(path).exists]
    assert host.file(backups.DATA).exists
    host.check_output("rm -rf /mash")
    play(backup_repository="/srv/repository")
    assert backups.SECRET not in host.run("docker exec mash-lago-api rails standin:secrets").stdout
    assert backups.newest(host) == known["stored"].name
    done = plays.attempt(server.name, playbook="playbooks/restore.yml", restored="latest", confirm=server.name)
    assert done.returncode == 0, done.stdout + done.stderr
    known["stored"].assert_back(host, site)
