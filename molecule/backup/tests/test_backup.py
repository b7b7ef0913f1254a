# SPDX-FileCopyrightText: 2026 The selfhosting.lago authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Backups of a server that goes on serving, their trial, and everything that must not pass for a good one.

The tests build on each other: each begins where the one before it ended.
"""

import json
import os
import threading
import time
from pathlib import Path

import pytest
from verify import inside, plays
from verify.backups import DATA, PROGRAM, backups, ended, leftovers, said, start
from verify.outside import new_event

ROWS = int(os.environ.get("BACKUP_TEST_ROWS", "100000"))
METRICS = "/var/lib/prometheus/node-exporter"
FILE = "/mash/lago/data/ab/cd/invoice-of-test"
# Each after what `Retry-After` says.
MOST_RETRIES = 10
SECRET = "sk_secret_of_test"
# The repository's password, as restic reads it.
ENVIRONMENT = (
    'python3 -c \'import json; print("RESTIC_PASSWORD=" + json.load(open("/mash/backup/backup.json"))["password"])\''
)
DAMAGE = (Path(__file__).parent / "damage.py").read_text()


class Sender:
    """Sends events until it is stopped. One that is answered 503 is sent again when `Retry-After` says: Traefik answers
    so while Lago does not answer its health check within four seconds, as on a machine with more to do than it can.
    """

    def __init__(self, site):
        self._site, self._done = site, threading.Event()
        self.answers: dict[str, list[int]] = {}
        self._thread = threading.Thread(target=self._send)
        self._thread.start()

    def _send(self):
        while not self._done.wait(0.3):
            event = new_event().dict()
            heard = self.answers[event["transaction_id"]] = []
            while True:
                answer = self._site.post(
                    "/api/v1/events", {"event": event}, Authorization=self._site.authorization, timeout=60
                )
                heard.append(answer.status)
                if answer.status != 503 or len(heard) > MOST_RETRIES:
                    break
                time.sleep(int(answer.headers["retry-after"]))

    def stop(self):
        self._done.set()
        self._thread.join()


@pytest.fixture
def sender(site):
    sender = Sender(site)
    yield sender
    sender.stop()


def test_check_mode_announced_it_and_a_second_run_does_nothing(runs, play):
    announced, done = runs[:2]
    assert (announced.check, done.check) == (True, False)
    assert announced.changes == done.changes
    second = play()
    assert second.tasks == []
    assert not any(second.changes.values())


def test_data_of_all_kinds(host):
    inside.make_events(host, ROWS)
    host.check_output("docker exec mash-lago-api rails 'standin:store_secret[stripe,%s]'", SECRET)
    host.check_output("install -D -o mash -g mash /etc/hostname %s", FILE)
    host.check_output("mkdir -p %s", METRICS)
    assert backups(host) == []


def test_a_backup_while_events_come_in(host, play, server, sender):
    assert play("--check", playbook="playbooks/backup.yml").tasks
    assert backups(host) == []
    before = inside.invocations(host)
    done = plays.attempt(server.name, playbook="playbooks/backup.yml")
    assert done.returncode == 0, done.stdout + done.stderr
    # Progress is for people at a terminal.
    assert " so far" not in done.stdout
    assert "is stored in /mash/backup/data/repository" in " ".join(done.stdout.split())
    assert "set backup_repository to a place elsewhere" in " ".join(done.stdout.split())
    (line,) = backups(host)
    tag = host.check_output("docker inspect --format '{{.Config.Image}}' mash-lago-api").rpartition(":")[2]
    assert line.split()[-3:] == [tag, "not", "tried"]
    assert leftovers(host) == ""
    sender.stop()
    assert len(sender.answers) > 10
    assert {heard[-1] for heard in sender.answers.values()} == {200}, sender.answers
    assert inside.event_rows(host, list(sender.answers)) == len(sender.answers)
    assert inside.invocations(host) == before


def test_it_is_encrypted(host):
    for secret in (SECRET, "organizations", "ENCRYPTION_PRIMARY_KEY"):
        assert host.run("grep --recursive --quiet %s %s/repository", secret, DATA).rc == 1
    assert host.check_output("stat --format=%%a %s /mash/backup/backup.json", DATA).split() == ["700", "600"]


def test_its_trial(host, play, server):
    done = plays.attempt(server.name, playbook="playbooks/verify_backup.yml")
    output = " ".join(done.stdout.split())
    assert done.returncode == 0, done.stdout + done.stderr
    assert "is good: restored on trial and compared" in output
    assert "Credentials read with the keys of the backup: payment_providers" in output
    (line,) = backups(host)
    assert line.endswith("good")
    assert leftovers(host) == ""
    metrics = host.file(f"{METRICS}/mash-backup.prom").content_string
    assert 'selfhosting_backup_trial_success{identifier="mash-backup"} 1' in metrics
    assert "is good" in said(host, "mash-backup-verify")
    assert inside.all_active(host)
    assert play(playbook="playbooks/backups.yml").tasks == []


def test_the_next_night_costs_what_is_new(host):
    before = int(host.check_output(f"du --summarize --bytes {DATA}/repository").split()[0])
    assert start(host, "mash-backup.service").rc == 0, said(host, "mash-backup")
    after = int(host.check_output(f"du --summarize --bytes {DATA}/repository").split()[0])
    assert after < before * 1.5
    assert [line.split()[-1] for line in backups(host)][-1] == "tried"


def test_timers(host):
    listed = host.check_output("systemctl list-timers --all --no-legend 'mash-backup*'")
    assert len(listed.splitlines()) == 2


def test_each_bit_flip_is_noticed(host):
    """100 of them, over all files of the repository; three in the newest dump and its manifest also by restoring it."""
    host.check_output(f"cp --archive {DATA}/repository {DATA}/whole")
    command = f"cat > /tmp/damage.py <<'END'\n{DAMAGE}\nEND\npython3 /tmp/damage.py"
    result = json.loads(host.check_output(command))
    assert result["flips"] == 100
    assert result["files"] == result["damaged_files"]
    assert result["unnoticed"] == []
    assert result["restores_that_noticed"] == 3
    assert host.run(f"diff --recursive {DATA}/repository {DATA}/whole").rc == 0


@pytest.mark.parametrize("how", ["truncate --size=-1", "rm"])
def test_a_damaged_backup_is_bad(host, how):
    largest = f"$(find {DATA}/repository/data -type f -printf '%s %p\\n' | sort -n | tail -1 | cut -d' ' -f2)"
    host.run(f"{how} {largest}")
    assert start(host, "mash-backup-checksums.service").rc != 0
    assert "is BAD" in said(host, "mash-backup-checksums")
    assert backups(host)[-1].endswith("BAD")
    assert 'trial_success{identifier="mash-backup"} 0' in host.file(f"{METRICS}/mash-backup.prom").content_string
    host.check_output(f"rm -r {DATA}/repository && cp --archive {DATA}/whole {DATA}/repository")
    if how == "rm":
        assert start(host, "mash-backup-checksums.service").rc == 0


# Not the one that pg_dumpall asks for its version.
DUMP = "^(.*/)?pg_dump .*--format=custom"


def test_a_killed_dump_leaves_no_backup(host):
    before = backups(host)
    host.check_output("systemctl start --no-block mash-backup.service")
    host.check_output(f"until pkill -KILL --full '{DUMP}'; do sleep 0.02; done")
    ended(host, "mash-backup.service")
    assert "pg_dump" in said(host, "mash-backup")
    assert backups(host) == before
    assert leftovers(host) == ""


@pytest.fixture
def small_disk(host):
    """Work has a file system of its own: 400 MB, of which the check wants less."""
    host.check_output(f"mkdir -p {DATA}/work && mount -t tmpfs -o size=400m,mode=0700 tmpfs {DATA}/work")
    yield
    host.check_output(f"umount {DATA}/work")


def test_a_disk_that_fills_in_the_middle_of_a_dump(host, small_disk):
    before = backups(host)
    host.check_output("systemctl start --no-block mash-backup.service")
    host.check_output(f"until pkill -STOP --full '{DUMP}'; do sleep 0.02; done")
    host.run(f"dd if=/dev/zero of={DATA}/work/filler bs=1M")
    host.check_output(f"pkill -CONT --full '{DUMP}'")
    ended(host, "mash-backup.service")
    assert "No space left on device" in said(host, "mash-backup")
    assert backups(host) == before


def test_a_disk_that_is_too_small_from_the_start(host, small_disk):
    host.run(f"fallocate --length=300M {DATA}/work/filler")
    assert start(host, "mash-backup.service").rc != 0
    assert "Nothing was written" in said(host, "mash-backup")


@pytest.mark.long
def test_keys_that_do_not_belong_to_the_data(host):
    """As if somebody had changed them: the backup is whole, and useless."""
    environment = "/mash/lago/api/env"
    host.check_output("cp --archive %s /tmp/env", environment)
    host.check_output("sed -i 's/^\\(LAGO_\\)\\?ENCRYPTION_PRIMARY_KEY=.*/&x/' %s", environment)
    assert start(host, "mash-backup.service").rc == 0
    host.check_output("cp --archive /tmp/env %s", environment)
    assert start(host, "mash-backup-verify.service").rc != 0
    assert "Decryption" in said(host, "mash-backup-verify")
    assert backups(host)[-1].endswith("BAD")
    assert leftovers(host) == ""


@pytest.fixture
def over_sftp(host):
    """To the same server, as another one."""
    host.check_output("test -e /root/key || ssh-keygen -q -t ed25519 -N '' -f /root/key")
    host.check_output("cat /root/key.pub >> /root/.ssh/authorized_keys")
    return {
        "backup_repository": "sftp:root@127.0.0.1:/srv/backup",
        "backup_ssh_private_key": host.file("/root/key").content_string,
        "backup_ssh_known_hosts": host.check_output("sed 's/^/127.0.0.1 /' /etc/ssh/ssh_host_ed25519_key.pub"),
    }


@pytest.fixture
def over_s3(host):
    """rclone serves a directory as S3."""
    host.check_output("mkdir -p /srv/s3/lago")
    host.check_output(
        "docker run --detach --name s3 --network=host --volume=/srv/s3:/data docker.io/rclone/rclone:1.75.2 "
        "serve s3 --addr=127.0.0.1:9000 --auth-key=reader,secret-of-the-bucket /data"
    )
    yield {
        "backup_repository": "s3:http://127.0.0.1:9000/lago",
        "backup_repository_environment": {
            "AWS_ACCESS_KEY_ID": "reader",
            "AWS_SECRET_ACCESS_KEY": "secret-of-the-bucket",
        },
    }
    host.check_output("docker rm --force s3")


def stored_elsewhere(host, server, values, path):
    """Stored there, and read from there."""
    done = plays.attempt(server.name, "--tags=install-backup", **values)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "secret-of-the-bucket" not in done.stdout + done.stderr
    assert start(host, "mash-backup.service").rc == 0, said(host, "mash-backup")
    assert host.file(f"{path}/config").exists
    assert len(backups(host)) == 1


@pytest.mark.long
def test_over_sftp(host, server, over_sftp):
    stored_elsewhere(host, server, over_sftp, "/srv/backup")
    assert "its checksums are right" in host.check_output(f"rm -rf /root/fetched; {PROGRAM} fetch latest /root/fetched")


def test_to_s3(host, server, play, over_s3):
    """Restored on trial from there, and damaged there."""
    stored_elsewhere(host, server, over_s3, "/srv/s3/lago")
    assert start(host, "mash-backup-verify.service").rc == 0, said(host, "mash-backup-verify")
    assert backups(host)[0].endswith("good")
    largest = host.check_output("find /srv/s3/lago/data -type f -printf '%s %p\n' | sort -n | tail -1").split()[1]
    host.check_output("chmod u+w %s && printf 12345678 | dd of=%s bs=1 seek=100 conv=notrunc", largest, largest)
    assert start(host, "mash-backup-checksums.service").rc != 0
    assert "is BAD" in said(host, "mash-backup-checksums")
    play("--tags=install-backup")


@pytest.mark.long
def test_days_weeks_and_months(host):
    """Backups as if they had been made on all these days: one for each of 7 days, 4 weeks and 12 months stays."""
    host.check_output(f"mv {DATA}/repository {DATA}/before")
    restic = f"env $({ENVIRONMENT}) restic --repo {DATA}/repository"
    host.check_output(f"{restic} init && mkdir -p /tmp/set && echo x > /tmp/set/file")
    ages = [*range(1, 10), 15, 22, 29, 36, *range(60, 420, 30)]
    dates = host.check_output(f'for n in {numbers(ages)}; do date --date="$n days ago" +%F; done').split()
    made = dict(zip(ages, dates, strict=True))
    host.check_output(
        f"cd /tmp/set && for day in {' '.join(made.values())}; do "
        f'{restic} backup --quiet --tag=mash-backup --host=backup --time="$day 02:30:00" . || exit 1; done'
    )
    assert start(host, "mash-backup.service").rc == 0, said(host, "mash-backup")
    kept = [line.split()[1] for line in backups(host)]
    host.check_output(f"rm -r {DATA}/repository && mv {DATA}/before {DATA}/repository")
    # With today's these are 7 days.
    assert [made[age] for age in range(6, 0, -1)] == kept[-7:-1]
    assert len(kept) <= 7 + 4 + 12
    assert len({day[:7] for day in kept}) == 12
    assert made[390] not in kept


def numbers(found) -> str:
    return " ".join(map(str, found))
