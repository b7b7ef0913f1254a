# SPDX-FileCopyrightText: 2026 The selfhosting.lago authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""A Lago that nobody can enter says so at the end of each run, and the three lines that it asks for are enough."""

import pytest
import yaml
from verify import inside, plays

PREFIX = "lago_migrate_environment_variable_lago_org_"
LOGIN = """mutation ($input: LoginUserInput!) { loginUser(input: $input) { token } }"""
NOBODY = {f"{PREFIX}{name}": "" for name in ("name", "user_email", "user_password", "api_key")}
NOTICE = "Nobody can log in to Lago"


@pytest.fixture(scope="module")
def without_users(host, server):
    """As a user has it who took the lines out of vars.yml before there was an account."""
    inside.sql(host, "TRUNCATE users CASCADE")
    return plays.attempt(server.name, **NOBODY)


def test_it_is_said_at_the_end(host, without_users):
    text = without_users.stdout
    assert without_users.returncode == 0, text + without_users.stderr
    assert inside.sql(host, "SELECT count(*) FROM users") == "0"
    assert text.count(NOTICE) == 1
    assert "PLAY [After everything else, on all servers]" in text
    assert text.rindex("TASK [") < text.index(NOTICE) < text.index("PLAY RECAP")


def test_a_run_that_changes_nothing_says_it_too(server, without_users):
    again = plays.attempt(server.name, **NOBODY)
    assert "changed=0 " in again.stdout
    assert again.stdout.count(NOTICE) == 1


def test_the_three_lines_make_an_account(server, site, without_users, user_values):
    """As the scenario's vars.yml has them; the key of the API is beside the point."""
    text = "\n".join(line for line in without_users.stdout.splitlines() if line.strip().startswith(PREFIX))
    names = set(yaml.safe_load(text))
    assert len(names) == 3
    assert names == {name for name in user_values if name.startswith(PREFIX)} - {f"{PREFIX}api_key"}
    assert not any(name.endswith("_create_org") for name in user_values)

    run = plays.attempt(server.name, "--tags=install-lago,start-group", group="lago")
    assert run.returncode == 0, run.stdout + run.stderr
    assert NOTICE not in run.stdout
    given = {"email": user_values[f"{PREFIX}user_email"], "password": user_values[f"{PREFIX}user_password"]}
    assert site.graphql(LOGIN, input=given)["data"]["loginUser"]["token"]
