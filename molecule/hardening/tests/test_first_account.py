# SPDX-FileCopyrightText: 2026 The selfhosting.lago authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""A Lago that nobody can enter says so at the end of each run, and the three lines that it asks for are enough."""

import subprocess

import pytest
import yaml
from verify import inside, plays

PREFIX = "lago_migrate_environment_variable_lago_org_"
REGISTER = """mutation ($input: RegisterUserInput!) { registerUser(input: $input) { token } }"""
LOGIN = """mutation ($input: LoginUserInput!) { loginUser(input: $input) { token } }"""
NOBODY = {f"{PREFIX}{name}": "" for name in ("name", "user_email", "user_password", "api_key")}
NOTICE = "Nobody can log in to Lago"


@pytest.fixture(scope="module")
def without_users(host, server):
    """As a user has it who took the lines out of vars.yml before there was an account.

    Afterwards the scenario's account has its own password again.
    """
    password = inside.sql(host, "SELECT password_digest FROM users WHERE email = 'admin@lago.example.test'")
    assert password.startswith("$")
    inside.sql(host, "TRUNCATE users CASCADE")
    yield plays.attempt(server.name, **NOBODY)
    inside.sql(host, f"UPDATE users SET password_digest = '{password}' WHERE email = 'admin@lago.example.test'")


@pytest.fixture(scope="module")
def three_lines(server, user_values, tmp_path_factory) -> dict[str, str]:
    """Those of the vars.yml that a user is given for this server."""
    inventory = tmp_path_factory.mktemp("inventory")
    command = ["bin/add-inventory-host", user_values["lago_hostname"], server.address]
    subprocess.run([*command, f"--inventory={inventory}"], cwd=plays.REPOSITORY, check=True, capture_output=True)
    written = yaml.safe_load((inventory / "host_vars" / user_values["lago_hostname"] / "vars.yml").read_text())
    # Nothing of it opens anything.
    assert not [name for name in written if "signup" in name or name.endswith("_create_org")]
    return {name: value for name, value in written.items() if name.startswith(PREFIX)}


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


def test_the_three_lines_make_an_account(host, server, site, without_users, three_lines):
    """The scenario's key of the API is beside the point, and the tests after this one need it."""
    told = "\n".join(line for line in without_users.stdout.splitlines() if line.strip().startswith(PREFIX))
    assert len(three_lines) == 3
    assert yaml.safe_load(told).keys() == three_lines.keys()
    given = {"email": three_lines[f"{PREFIX}user_email"], "password": three_lines[f"{PREFIX}user_password"]}
    assert site.graphql(LOGIN, input=given)["errors"], "nobody can log in yet"

    run = plays.attempt(server.name, "--tags=install-lago,start-group", group="lago", **three_lines)
    assert run.returncode == 0, run.stdout + run.stderr
    assert NOTICE not in run.stdout
    assert three_lines[f"{PREFIX}user_password"] not in run.stdout + run.stderr
    assert site.graphql(LOGIN, input=given)["data"]["loginUser"]["token"]
    assert inside.sql(host, "SELECT email FROM users") == given["email"]


@pytest.mark.parametrize("path", ["/graphql", "/api/graphql"])
def test_nobody_else_makes_one(host, site, path):
    """Sign-up has been closed all the time, at the API itself."""
    given = {"email": "stranger@example.test", "password": "password of a stranger", "organizationName": "Strange"}
    refused = site.graphql(REGISTER, path, input=given)
    assert refused["errors"][0]["extensions"]["code"] == "signup_disabled"
    assert inside.sql(host, "SELECT count(*) FROM users WHERE email = 'stranger@example.test'") == "0"
