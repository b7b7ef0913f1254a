# SPDX-FileCopyrightText: 2026 The selfhosting.lago authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""An upgrade rehearsed on the newest backup, while Lago serves."""

import json
import re

import pytest
from verify import backups, inside, plays

WAY = {"upgrade_to": "v1.53.0", "lago_version_highest": "v1.53.0"}
PLAYBOOK = "playbooks/rehearse_upgrade.yml"
SCHEMA = "SELECT max(version) FROM schema_migrations"


def rehearse(server) -> tuple[int, str]:
    done = plays.attempt(server.name, playbook=PLAYBOOK, **WAY)
    return done.returncode, " ".join(re.sub(r"\x1b\[[0-9;]*m", "", done.stdout + done.stderr).split())


@pytest.mark.long
def test_an_upgrade_that_would_fail(host, server):
    """The next release wants what a task of this one would have done."""
    before, schema = inside.invocations(host), inside.sql(host, SCHEMA)
    inside.sql(host, "UPDATE organizations SET filter_code = NULL")
    backups.made(host)
    status, said = rehearse(server)
    assert status != 0
    assert "Organizations without filter_code: run upgrade:perform_required_jobs" in said
    assert backups.leftovers(host) == ""
    assert (inside.invocations(host), inside.sql(host, SCHEMA)) == (before, schema)


def test_what_an_upgrade_will_cost(host, server):
    before, schema = inside.invocations(host), inside.sql(host, SCHEMA)
    inside.sql(host, "UPDATE organizations SET filter_code = 'filled'")
    backups.made(host)
    status, said = rehearse(server)
    assert status == 0, said
    assert "Migrating the copy to v1.53.0" in said
    assert "of which 1 migrations" in said
    assert "The real upgrade: about" in said
    result = json.loads(host.file(f"{backups.DATA}/rehearsal-result.json").content_string)
    (hop,) = result["hops"]
    assert [one["name"] for one in hop["migrations"]] == ["RequireFilterCode"]
    assert [task["name"] for task in hop["tasks"]] == ["upgrade:perform_required_jobs"]
    assert backups.leftovers(host) == ""
    assert (inside.invocations(host), inside.sql(host, SCHEMA)) == (before, schema)
