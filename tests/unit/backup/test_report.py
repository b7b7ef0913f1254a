# SPDX-FileCopyrightText: 2026 The selfhosting.lago authors
# SPDX-License-Identifier: AGPL-3.0-or-later
import json

import pytest
from report import Results, timestamp

SNAPSHOT = {"id": "a" * 64, "short_id": "a" * 8, "time": "2026-01-02T03:04:05.123456789Z"}
CREATED = 1767323045.0


@pytest.fixture
def results(tmp_path):
    configuration = {
        "data_path": str(tmp_path),
        "record_path": str(tmp_path / "records" / "mash-backup-verified.json"),
        "metrics_path": str(tmp_path),
        "identifier": "mash-backup",
    }
    return lambda: Results(configuration)


@pytest.mark.parametrize(
    "text", ["2026-01-02T03:04:05Z", SNAPSHOT["time"], "2026-01-02T05:04:05.1+02:00", "2026-01-02T05:04:05+02:00"]
)
def test_times_of_restic(text):
    assert timestamp(text) == CREATED


def test_only_a_trial_makes_a_backup_good(results, tmp_path):
    assert results().of(SNAPSHOT) == "not tried"
    results().add(SNAPSHOT, [], 1767323100, {SNAPSHOT["id"]})
    assert results().of(SNAPSHOT) == "good"
    record = tmp_path / "records" / "mash-backup-verified.json"
    assert json.loads(record.read_text())["backup_time"] == CREATED
    results().add(SNAPSHOT, ["rows are missing"], 1767323200, {SNAPSHOT["id"]})
    assert results().of(SNAPSHOT) == "BAD"
    assert not record.exists(), "data could be deleted on the strength of a bad backup"


def test_the_record_says_where_the_queue_is_that_is_not_in_it(results, tmp_path):
    results().add(SNAPSHOT, [], 1, {SNAPSHOT["id"]}, "redis.example.com")
    record = json.loads((tmp_path / "records" / "mash-backup-verified.json").read_text())
    assert record["queue_elsewhere"] == "redis.example.com"


def test_what_was_forgotten_is_forgotten_here(results):
    results().add(SNAPSHOT, [], 1, {SNAPSHOT["id"]})
    other = {**SNAPSHOT, "id": "b" * 64}
    results().add(other, [], 2, {other["id"]})
    assert results().known.keys() == {other["id"]}


def test_metrics(results, tmp_path):
    results().add(SNAPSHOT, [], 1767323100, {SNAPSHOT["id"]})
    results().metrics([SNAPSHOT])
    lines = (tmp_path / "mash-backup.prom").read_text().splitlines()
    assert 'selfhosting_backup_good_seconds{identifier="mash-backup"} 1767323045' in lines
    assert 'selfhosting_backup_trial_success{identifier="mash-backup"} 1' in lines
    results().add(SNAPSHOT, ["x"], 1767323200, {SNAPSHOT["id"]})
    results().metrics([SNAPSHOT])
    lines = (tmp_path / "mash-backup.prom").read_text().splitlines()
    assert 'selfhosting_backup_good_seconds{identifier="mash-backup"} 0' in lines
    assert 'selfhosting_backup_trial_success{identifier="mash-backup"} 0' in lines
