# SPDX-FileCopyrightText: 2026 The selfhosting.lago authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""A changed password or key counts after one run, the old one no more; in Valkey both count for a while.

The last test: it leaves the new ones. The same run brings the second round of settings, as Lago restarts anyway: those
of files at Google.
"""

from urllib.parse import urlsplit

from verify import inside, plays, settings_of_lago
from verify.load import load
from verify.waiting import eventually

LOGIN = """mutation ($input: LoginUserInput!) { loginUser(input: $input) { token } }"""
NEW = {
    "lago_database_password": "new/password%of:the@database",
    "postgres_connection_password": "new password of root",
    "valkey_connection_password": "new password of valkey",
    "lago_api_environment_variable_secret_key_base": "new-secret-key-base-0123456789abcdef",
    "lago_keys_to_replace": ["secret_key_base"],
}


def environment(host) -> dict[str, str]:
    return dict(line.split("=", 1) for line in host.file("/mash/lago/api/env").content_string.splitlines())


def logs_in(host, user: str, database: str, password: str) -> bool:
    """Over TCP: on its own socket Postgres asks for no password."""
    done = host.run(
        "docker exec --env PGPASSWORD=%s mash-postgres psql --host=mash-postgres --username=%s --dbname=%s -c %s",
        *(password, user, database, "SELECT 1"),
    )
    assert done.rc == 0 or "password authentication failed" in done.stderr, done.stderr
    return done.rc == 0


def valkey(host, password: str) -> str:
    return host.run("docker exec --env REDISCLI_AUTH=%s mash-valkey valkey-cli ping 2>&1", password).stdout


def signed_in(site, token: str) -> bool:
    answer = site.post("/graphql", {"query": "{ currentUser { email } }"}, Authorization=f"Bearer {token}").json
    return bool((answer.get("data") or {}).get("currentUser"))


def test_rotation(host, server, site, play, user_values):
    given = {
        "email": user_values["lago_migrate_environment_variable_lago_org_user_email"],
        "password": user_values["lago_migrate_environment_variable_lago_org_user_password"],
    }
    before = environment(host)
    old_password = urlsplit(before["DATABASE_URL"]).password
    old_root = user_values["postgres_connection_password"]
    token = site.graphql(LOGIN, input=given)["data"]["loginUser"]["token"]
    assert signed_in(site, token)
    assert logs_in(host, "lago", "lago", old_password)
    assert logs_in(host, "root", "main", old_root)
    assert "PONG" in valkey(host, before["REDIS_PASSWORD"])

    unnamed = plays.attempt(server.name, **(NEW | {"lago_keys_to_replace": []}))
    assert "lago_keys_to_replace is empty" in unnamed.stdout + unnamed.stderr
    assert logs_in(host, "lago", "lago", old_password), "a run that was refused changed nothing"

    new = NEW | settings_of_lago.variables(host, "two")
    with load(site, senders=1):
        done = play(**new)
    assert done.units["mash-lago-api.service"] == done.units["mash-valkey.service"] == "restart"

    assert not logs_in(host, "lago", "lago", old_password)
    assert logs_in(host, "lago", "lago", NEW["lago_database_password"])
    assert not logs_in(host, "root", "main", old_root)
    assert logs_in(host, "root", "main", NEW["postgres_connection_password"])
    assert "PONG" in valkey(host, NEW["valkey_connection_password"])
    assert inside.all_active(host)

    # The service works, with all that there was: the API key is data, sessions were signed with the old key.
    eventually(lambda: site.post_event().status == 200)
    assert not signed_in(site, token)
    again = site.graphql(LOGIN, input=given)["data"]["loginUser"]["token"]
    assert signed_in(site, again)
    # Also of those events that were sent in the middle of it, whatever they were answered.
    eventually(lambda: inside.unprocessed_events(host) == 0, seconds=90)
    assert play("--check", **new).units == {}
    assert "PONG" in valkey(host, before["REDIS_PASSWORD"]), "for ten minutes"
    play(**new, valkey_connection_password_grace_time_seconds=0)
    assert "PONG" not in valkey(host, before["REDIS_PASSWORD"])

    wanted = settings_of_lago.written("two")
    for container in settings_of_lago.PROCESSES:
        found = settings_of_lago.environment(host, container)
        assert {name: found.get(name) for name in wanted} == wanted, container
