# SPDX-FileCopyrightText: 2026 The selfhosting.lago authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Backups restored for good: on the same server, over a restore that was killed, and on a server that is empty.

The tests build on each other: each begins where the one before it ended.
"""

import json
import re

import pytest
from testbed import servers
from verify import backups, inside, plays
from verify.backups import DATA, PROGRAM, content, ended, leftovers, made, said, start
from verify.load import load
from verify.waiting import eventually

RESTORE = "playbooks/restore.yml"
UNIT = "mash-backup-restore.service"
CONFIGURATION = "/mash/backup/backup.json"
FILE = "/mash/lago/data/ab/cd/invoice-of-test"


def restore(server, name, **variables):
    return plays.attempt(server.name, playbook=RESTORE, restored=name, confirm=server.name, **variables)


def output(done) -> str:
    """On one line, without the colours that Ansible gives to each line of an error."""
    return " ".join(re.sub(r"\x1b\[[0-9;]*m", "", done.stdout + done.stderr).split())


@pytest.fixture(scope="module")
def known():
    """What one test learns for those after it."""
    return {}


@pytest.fixture
def as_another(host):
    """Make a backup as if this were another server; the configuration is as it was afterwards."""

    def make(environment="", **changes):
        configuration = json.loads(host.file("/tmp/backup.json").content_string)
        configuration["lago"].update(changes.pop("lago", {}))
        configuration.update(changes)
        host.check_output("printf %%s %s > %s", json.dumps(configuration), CONFIGURATION)
        host.check_output(f"sed --in-place '{environment}' /mash/lago/api/env")
        assert start(host, "mash-backup.service").rc == 0
        name = re.findall("Backup ([0-9a-f]{8})", said(host, "mash-backup"))[-1]
        host.check_output(f"cp --archive /tmp/backup.json {CONFIGURATION}; cp --archive /tmp/env /mash/lago/api/env")
        return name

    host.check_output(f"cp --archive {CONFIGURATION} /tmp/backup.json; cp --archive /mash/lago/api/env /tmp/env")
    return make


def test_what_cannot_be_restored_here(host, server, as_another):
    """A newer Lago, other keys, another host: said before anything is changed, all at once."""
    before = inside.invocations(host)
    newer = as_another(lago={"version": "v1.99.0"}, environment="s/^ENCRYPTION_PRIMARY_KEY=.*/&x/")
    elsewhere = as_another(host="other.example.com", environment="s/^SECRET_KEY_BASE=.*/&x/")
    done = restore(server, newer)
    assert done.returncode != 0
    for text in [
        "nothing was changed",
        "It is of Lago v1.99.0, and v1.52.1 is installed here",
        "lago_version: v1.99.0",
        "Its keys are not those of this host: ENCRYPTION_PRIMARY_KEY.",
    ]:
        assert text in output(done), output(done)
    asked(host, elsewhere)
    assert start(host, UNIT).rc != 0
    for text in ["It is a backup of other.example.com, and this is", "of this host: SECRET_KEY_BASE."]:
        assert text in said(host, "mash-backup-restore")
    assert inside.invocations(host) == before
    assert leftovers(host) == ""
    host.check_output(f"rm -r {DATA}/repository {DATA}/results.json")


def test_a_backup_and_losses_after_it(host, site, known):
    known["stored"] = backups.stored(host)
    eventually(lambda: site.post_event().status == 200, seconds=180)
    inside.sql(host, "DELETE FROM events WHERE transaction_id LIKE 'many-%'")
    index = inside.sql(host, "SELECT indexname FROM pg_indexes WHERE tablename = 'events' AND indexname !~ 'pkey'")
    inside.sql(host, f"DROP INDEX {index.split()[0]}; DELETE FROM payment_providers")
    backups.valkey(host).ask("del", backups.QUEUE)
    host.check_output("rm %s && install -o mash -g mash /dev/null /mash/lago/data/newer", FILE)
    known["damaged"] = backups.rows(host)
    assert known["damaged"].keys() != known["stored"].rows.keys()


def test_it_says_what_it_will_do_and_asks(host, server, play, known):
    before = inside.invocations(host)
    done = plays.attempt(server.name, playbook=RESTORE, restored=known["stored"].name)
    assert done.returncode != 0
    assert f"-e confirm={server.name}" in output(done)
    assert "Will replace database lago" in output(done)
    # Nothing is in it, here and in the backup.
    assert "database main" not in output(done)
    assert "1 events were accepted after this backup and are not in it" in output(done)
    assert play("--check", playbook=RESTORE, restored="latest").tasks
    assert inside.invocations(host) == before
    assert content(host)["public.payment_providers"] == known["damaged"]["public.payment_providers"]


@pytest.mark.parametrize("word", [pytest.param("Fetching it", marks=pytest.mark.long), "Restoring Postgres beside"])
def test_killed_before_anything_is_replaced_it_leaves_the_old_state(host, known, word):
    before = inside.invocations(host)
    killed(host, known["stored"].name, word)
    assert inside.invocations(host) == before
    found = backups.rows(host)
    assert found["public.payment_providers"] == known["damaged"]["public.payment_providers"]
    assert found.keys() == known["damaged"].keys()


def asked(host, name):
    """What the playbook writes before it starts the unit."""
    host.check_output("printf %%s %s > %s/request.json", json.dumps({"backup": name}), DATA)


def killed(host, name, word):
    """A restore that is killed as soon as it has said something."""
    asked(host, name)
    cursor = host.check_output("journalctl --sync; journalctl --lines=0 --show-cursor --quiet").split("cursor: ")[1]
    seen = f"journalctl --after-cursor='{cursor}' --output=cat --identifier=mash-backup-restore | grep -q '{word}'"
    host.check_output(
        f'systemctl start --no-block {UNIT}; timeout 300 sh -c "until {seen}; do sleep 0.1; done" && '
        f"systemctl kill --signal=KILL {UNIT}"
    )
    ended(host, UNIT)


@pytest.mark.long
def test_no_room_for_it(host, server, known):
    host.check_output(f"mkdir -p {DATA}/work && mount -t tmpfs -o size=1m,mode=0700 tmpfs {DATA}/work")
    try:
        done = restore(server, known["stored"].name)
    finally:
        host.check_output(f"umount {DATA}/work")
    assert done.returncode != 0
    assert "Nothing was changed. Make room" in output(done)
    assert inside.all_active(host)


def test_killed_twice_later_it_is_completed_by_the_next_call(host, server, site, known):
    """Events are sent all the time: each that was accepted is in the new database or in the one that is kept."""
    before = inside.installed_units(host)
    # Few of them: most come while Lago is stopped, and take the server's time from the restore.
    with load(site, senders=1, pause=0.3) as sent:
        eventually(lambda: len(sent.accepted) > 5)
        killed(host, known["stored"].name, "Stopping Lago")
        asked(host, "abcdefgh")
        assert start(host, UNIT).rc != 0
        assert f"Complete it first: just restore {known['stored'].name}" in said(host, "mash-backup-restore")
        killed(host, known["stored"].name, "Putting Valkey")
    servers.power_cut(server)
    with load(site, senders=1, pause=0.3) as sent_later:
        # A boot starts no Lago on what is half in place.
        asleep = host.run("systemctl is-active mash-lago-api mash-lago-api-worker mash-lago-api-clock").stdout
        assert set(asleep.split()) == {"inactive"}
        # Nor does a run of the playbook, and it says what to type.
        refused = plays.attempt(server.name)
        assert refused.returncode != 0
        assert f"Backup {known['stored'].name} is half in place" in output(refused)
        assert start(host, "mash-backup.service").rc != 0
        assert "A restore was interrupted" in said(host, "mash-backup")
        host.check_output("systemctl reset-failed mash-backup.service")
        done = restore(server, known["stored"].name)
        assert done.returncode == 0, output(done)
        eventually(lambda: len(sent_later.accepted) > 5, seconds=180)
    for text in ("was interrupted", "each table as in the manifest", "is kept as database lago_replaced"):
        assert text in output(done)
    assert {*sent.failed, *sent_later.failed} <= {503}
    assert inside.installed_units(host) == before
    accepted = sent.accepted + sent_later.accepted
    there = [inside.event_rows(host, accepted, database) for database in ("lago", "lago_replaced")]
    assert all(there)
    assert sum(there) == len(accepted)
    assert "many-" not in inside.sql(host, "SELECT transaction_id FROM events", "lago_replaced")
    inside.forget_events(host, accepted)
    known["stored"].assert_back(host, site)
    assert host.file("/mash/lago/data/newer").exists


@pytest.mark.long
def test_the_next_backup_does_not_hold_what_was_replaced(host):
    name = made(host)
    host.check_output(f"rm -rf /root/fetched; {PROGRAM} fetch {name} /root/fetched")
    manifest = json.loads(host.file("/root/fetched/manifest.json").content_string)
    assert "lago" in manifest["postgres"]["databases"]
    assert not [database for database in manifest["postgres"]["databases"] if "replaced" in database]
    assert not [path for path in manifest["files"] if "replaced" in path]
