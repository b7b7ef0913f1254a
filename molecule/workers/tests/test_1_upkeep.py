# SPDX-FileCopyrightText: 2026 The selfhosting.lago authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""One clock, ticks that are made up for, locks that a crash left, and the log of what runs did."""

import json
import re

import pytest
from verify import inside, plays
from verify.waiting import eventually

CLOCK = "mash-lago-api-clock"
SECOND = "second-clock"
LOCK = "activejob_uniqueness:bill_organization_job:left-by-a-crash"


def test_a_second_clock_waits_for_the_first(host):
    """Made by hand from what the unit of the first is made from, under another name."""
    unit = host.file(f"/etc/systemd/system/{CLOCK}.service").content_string
    create = re.search(r"/usr/bin/docker create (?:.*\\\n)*.*\n", unit)[0].replace(
        f"--name={CLOCK}", f"--name={SECOND}"
    )
    connect = [f"docker network connect {name} {SECOND}" for name in re.findall(r"network connect (\S+)", unit)]
    try:
        host.check_output("sh -ec %s", "\n".join([create, *connect]))
        # What it says first; it says it again after a minute only.
        said = host.check_output("timeout 120 docker start --attach %s 2>&1 | head -n 1", SECOND)
        assert "another clock of this database holds the lock: lago-clock" in said
        assert "clockwork" not in host.run(f"docker top {SECOND}").stdout
    finally:
        host.run(f"docker rm --force {SECOND}")


@pytest.fixture
def alone(host):
    """No look of the timer's in the middle."""
    host.check_output("systemctl stop mash-lago-watchdog.timer mash-lago-watchdog.service")
    yield
    host.check_output("systemctl start mash-lago-watchdog.timer")


@pytest.mark.usefixtures("alone")
def test_a_missed_tick_is_made_up_for(host):
    """As if the last one had been two hours ago; the clock itself lives and is left alone."""
    state = "/mash/lago/upkeep/watchdog.json"
    query = "SELECT count(*) FROM clock_ticks WHERE event = 'schedule:bill_customers'"
    host.check_output("systemctl start mash-lago-watchdog.service")
    before, clock = int(inside.sql(host, query)), inside.properties(host, f"{CLOCK}.service", "InvocationID")
    # The journal is asked for ticks of the last 70 minutes; a real one may be among them, and then nothing was missed.
    triggered = "Triggering 'schedule:bill_customers'"
    real = host.run("journalctl --identifier=%s --since=-75min --quiet --grep=%s", CLOCK, triggered).rc == 0
    host.check_output("sed -i -E %s %s", 's/"last": [0-9.]+/"last": 1/', state)
    host.check_output("systemctl start mash-lago-watchdog.service")
    host.check_output("systemctl start mash-lago-watchdog.service")
    assert int(inside.sql(host, query)) == before + (0 if real else 1)
    assert inside.properties(host, f"{CLOCK}.service", "InvocationID") == clock


def test_locks_without_a_job(host, server, play):
    host.check_output("docker exec mash-valkey valkey-cli set %s value ex 7200", LOCK)
    shown = plays.attempt(server.name, playbook="playbooks/locks.yml")
    assert f"lock without a job: {LOCK} (expires in 11" in shown.stdout
    refused = plays.attempt(server.name, playbook="playbooks/locks.yml", confirm="another.example.com")
    assert refused.returncode != 0
    assert host.check_output("docker exec mash-valkey valkey-cli exists %s", LOCK) == "1"
    removed = plays.attempt(server.name, playbook="playbooks/locks.yml", confirm=server.name)
    assert f"removed the lock {LOCK}" in removed.stdout
    assert host.check_output("docker exec mash-valkey valkey-cli exists %s", LOCK) == "0"


def test_how_containers_ended(host, server):
    before = inside.properties(host, "mash-lago-pdf", "InvocationID")
    host.check_output("docker kill mash-lago-pdf")
    # Its unit takes a moment to notice, and looks well until then.
    eventually(lambda: inside.properties(host, "mash-lago-pdf", "InvocationID") != before)
    eventually(lambda: inside.all_active(host), seconds=120)
    shown = plays.attempt(server.name, playbook="playbooks/exit_codes.yml")
    # Ansible breaks its lines.
    said = " ".join(shown.stdout.split())
    assert re.search(r"mash-lago-pdf\[\d+\]: container ended with exit code 137, out of memory: false", said)


def test_the_log_says_who_changed_what(host, play):
    play("--tags=restart-group", group="lago-front")
    lines = [json.loads(line) for line in host.file("/var/log/selfhosting-lago/runs.jsonl").content_string.splitlines()]
    last = lines[-1]
    assert list(last["units"]) == ["mash-lago-front.service"]
    assert last["outcome"] == "done"
    assert "@" in last["who"]
    assert last["versions"]["lago"].startswith("v1.")
    assert json.loads(host.file("/var/lib/selfhosting-lago/lease.json").content_string)["ended"] is True


def test_another_run_is_waited_for_and_named(host, server):
    """A lease that somebody renews, and a run that has no patience."""
    lease = json.loads(host.file("/var/lib/selfhosting-lago/lease.json").content_string)
    uptime = float(host.file("/proc/uptime").content_string.split()[0])
    held = {**lease, "id": "hers", "who": "she@desk", "ended": False, "renewed": uptime + 30}
    host.check_output("cp /var/lib/selfhosting-lago/lease.json /root/lease.json")
    host.check_output("printf %s %s > /var/lib/selfhosting-lago/lease.json", "%s", json.dumps(held))
    try:
        done = plays.attempt(server.name, "--tags=restart-group", group="lago-front", mash_playbook_run_wait_seconds=1)
    finally:
        host.check_output("mv /root/lease.json /var/lib/selfhosting-lago/lease.json")
    said = done.stdout + done.stderr
    assert done.returncode != 0
    assert "she@desk has been changing this server since" in said
    assert "nothing was changed. Run again when that is over." in said
