# SPDX-FileCopyrightText: 2026 The selfhosting.lago authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""A run changes what differs and nothing else."""

import subprocess

from verify import inside, plays
from verify.waiting import eventually

API = "mash-lago-api.service"
FRONT = "mash-lago-front.service"
PDF = "mash-lago-pdf.service"


def restarted(before, host) -> set[str]:
    after = inside.invocations(host)
    assert set(before) == set(after)
    return {unit for unit in after if before[unit] != after[unit]}


def test_the_first_run_pulls_all_images(runs):
    """A bare server has none; other scenarios begin with those that are in stock (testbed/stock.py)."""
    assert runs[1].changes["images"]


def test_a_changed_value_restarts_only_what_reads_it(host, site, play):
    changed = {"lago_front_environment_variables_additional_variables": "LAGO_OF_TEST=changed"}
    before = inside.invocations(host)
    announced, done = play("--check", **changed), play(**changed)
    assert announced.changes == done.changes
    assert done.units == {FRONT: "restart"}
    assert done.changes["files"] == ["/mash/lago/front/env-config.js"]
    assert restarted(before, host) == {FRONT}
    eventually(lambda: b"LAGO_OF_TEST" in site.get("/env-config.js").body)

    before = inside.invocations(host)
    assert play().units == {FRONT: "restart"}
    assert restarted(before, host) == {FRONT}
    eventually(lambda: site.url.encode() in site.get("/env-config.js").body)
    assert b"LAGO_OF_TEST" not in site.get("/env-config.js").body


def test_what_is_down_is_started_and_nothing_else(host, play):
    before = inside.invocations(host)
    host.check_output("systemctl stop %s", FRONT)
    # systemd starts this one by itself, a moment later or when the run asks for it.
    host.check_output("docker kill mash-lago-pdf")
    announced, done = play("--check"), play()
    assert announced.units[FRONT] == done.units[FRONT] == "start"
    assert set(announced.units) | set(done.units) <= {FRONT, PDF}
    assert inside.all_active(host)
    assert restarted(before, host) == {FRONT, PDF}


def test_a_corrected_value_counts_while_the_wrong_one_starts_again(host, server, play):
    """The container ends a few seconds after each start, and systemd starts it again and again."""
    wrong = {"lago_api_environment_variables_additional_variables": "STANDIN_BOOT_SECONDS=4\nRAILS_MIN_THREADS=none"}
    failed = plays.attempt(server.name, **wrong)
    assert failed.returncode != 0
    assert f"{API} did not get ready" in failed.stdout + failed.stderr
    eventually(lambda: inside.properties(host, API, "SubState") == {"SubState": "start-post"})
    assert API in play().units
    assert inside.all_active(host)


def test_an_image_that_does_not_exist_is_named_at_once(server, play):
    """Asked for at a registry that answers; what runs goes on."""
    registry = f"{inside_registry()}/"
    done = plays.attempt(
        server.name, lago_front_container_image_registry_prefix=registry, lago_front_container_image_tag="v9.9.9"
    )
    assert done.returncode != 0
    assert f"{registry}getlago/front:v9.9.9 cannot be pulled (tried 1x)" in done.stdout + done.stderr
    assert play().changes["units"] == {}


def test_a_docker_that_is_there_is_not_reconfigured(host, play):
    before = host.file("/etc/docker/daemon.json").content_string
    play(mash_playbook_docker_installation_daemon_options_custom={"debug": True})
    assert host.file("/etc/docker/daemon.json").content_string == before


def test_the_time_is_synchronised(host):
    """In a container the service itself cannot run; on a server its being enabled starts it."""
    assert host.check_output("systemctl is-enabled systemd-timesyncd") == "enabled"


def inside_registry() -> str:
    return subprocess.run(
        [plays.REPOSITORY / "bin" / "testbed", "registry"], capture_output=True, text=True, check=True
    ).stdout.strip()
