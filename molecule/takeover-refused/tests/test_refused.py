# SPDX-FileCopyrightText: 2026 The selfhosting.lago authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""What keeps a server from being taken over is said before anything is changed."""

import json

import pytest
import yaml
from conftest import server_of
from verify import former, plays
from verify.waiting import eventually

OLDER = "Lines for vars.yml, with MASH's older derivation:"
LIVE = "Lines for vars.yml, as on the server:"
KEYS = {f"lago_api_environment_variable_encryption_{name}" for name in ("primary_key", "deterministic_key")} | {
    "lago_api_environment_variable_encryption_key_derivation_salt"
}


@pytest.fixture
def refused(host):
    """Runs the playbook, which has to stop and to leave everything as it is; what it said."""
    eventually(lambda: host.run("docker exec mash-lago-api curl -fs http://localhost:3000/health").rc == 0, seconds=120)

    def run(*arguments, **variables):
        before = former.state(host)
        done = plays.attempt(server_of(host).name, *arguments, **variables)
        assert done.returncode != 0
        assert former.state(host) == before
        assert "Nothing was changed on any host" in former.plain(done.stdout)
        return former.plain(done.stdout)

    return run


def test_keys_of_the_older_formula(host, refused, tmp_path):
    told = refused()
    assert (
        "payment_providers: 1 encrypted; readable with the keys of vars.yml 0, the server's environment file 0, "
        "MASH's older derivation 1" in told
    )
    lines = former.offered(told, OLDER)
    assert set(yaml.safe_load(lines)) == KEYS
    pasted = tmp_path / "lines.yml"
    pasted.write_text(lines)
    # With the lines nothing is left to say.
    done = plays.attempt(server_of(host).name, f"--extra-vars=@{pasted}", selfhosting_verb="preflight")
    assert done.returncode == 0, done.stdout


def test_a_jump_over_a_stop_and_others_who_use_the_shared_services(refused):
    told = refused(lago_version="v1.52.1", mash_playbook_takeover_shared_services=False)
    assert "mash-postgres: mash-notes, database notes" in told
    assert OLDER in told
    assert "lago_version is 'v1.52.1'. The server has v1.49.0, and on the way lie stops" in told
    assert "v1.50.0 (rails migrations:backfill_PROVIDER_payment_methods" in told


def test_each_set_of_keys_reads_some_rows(host, refused):
    host.check_output("docker exec mash-lago-api rails 'standin:store_secret[adyen,stored later]'")
    told = refused()
    assert (
        "payment_providers: 2 encrypted; readable with the keys of vars.yml 1, the server's environment file 1" in told
    )
    assert "No set of keys reads all of them." in told
    assert OLDER in told
    assert LIVE in told


def test_no_secret_is_said(host, refused, user_values):
    told = refused("-vvv")
    environment = dict(line.split("=", 1) for line in host.check_output("cat /mash/lago/api/env").splitlines())
    secrets = [
        value for name, value in environment.items() if "KEY" in name or "SALT" in name or name == "DATABASE_URL"
    ]
    assert len(secrets) >= 7
    assert not [secret for secret in secrets if secret and json.dumps(secret)[1:-1] in told]
