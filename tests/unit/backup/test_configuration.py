# SPDX-FileCopyrightText: 2026 The selfhosting.lago authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""What the backup of a host consists of."""

import json

import pytest
import trial
from virtual_host import VirtualHost

RSA_KEY = "lago_api_environment_variable_lago_rsa_private_key"


@pytest.mark.parametrize(("change", "expected"), [({RSA_KEY: ""}, True), ({}, False)])
def test_a_key_that_the_server_made_is_part_of_it(change, expected):
    host = VirtualHost(change={"backup_enabled": True, **change})
    configuration = json.loads(host.rendered("backup")["/mash/backup/backup.json"]["content"])
    assert ("/mash/lago/keys" in configuration["files"]) is expected
    assert configuration["lago"]["rsa_key"] == ("/mash/lago/keys/private.pem" if expected else "")


@pytest.mark.parametrize("prefix", ["mash-", "mash-second-"])
def test_each_host_of_a_server_has_a_record_of_its_own(prefix):
    host = VirtualHost(change={"backup_enabled": True, "mash_playbook_service_identifier_prefix": prefix})
    configuration = json.loads(host.rendered("backup")["/mash/backup/backup.json"]["content"])
    assert configuration["record_path"] == f"/mash/selfhosting-lago/records/{prefix}backup-verified.json"
    assert configuration["restore_path"] == f"/mash/selfhosting-lago/records/{prefix}backup-restore.json"


@pytest.mark.parametrize("key", ["", "/mash/lago/keys/private.pem"])
def test_the_trial_boots_lago_with_the_key_of_the_backup(monkeypatch, key):
    lago = {"ids": "1:1", "environment": "/mash/lago/api/env", "database": "lago", "image": "i", "rsa_key": key}
    monkeypatch.setattr(trial.manifest, "read", lambda _directory: {"lago": lago})
    asked = []

    def run(command, **_options):
        asked.append(command)
        return type("Done", (), {"returncode": 0, "stdout": "decrypted {}", "stderr": ""})

    monkeypatch.setattr(trial, "run", run)
    configuration = {"identifier": "mash-backup", "postgres": {"user": "root"}}
    assert trial.Trial(configuration, "/backup", "/work").check_lago() == []
    mounts = [word for word in asked[0] if word.startswith("--mount")]
    assert mounts == [
        "--mount=type=bind,source=/backup/server/mash/lago/keys/private.pem,target=/app/config/keys/private.pem,readonly"
    ] * bool(key)
