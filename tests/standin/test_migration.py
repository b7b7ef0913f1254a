# SPDX-FileCopyrightText: 2026 The selfhosting.lago authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""The gate before everything else: scripts/migrate.sh."""

import json

import pytest

from .conftest import FIRST_ORGANIZATION, SERVICES, VERSION, eventually


def test_fresh_installation(bed):
    assert bed.sql("SELECT string_agg(name, ' ' ORDER BY name) FROM roles") == "admin finance manager"
    extensions = bed.sql("SELECT string_agg(extname, ' ' ORDER BY extname) FROM pg_extension")
    assert extensions == "btree_gin pg_partman pg_trgm pgcrypto plpgsql unaccent"
    assert (
        bed.sql("SELECT value FROM api_keys a JOIN organizations o ON o.id = organization_id WHERE name = 'First'")
        == (FIRST_ORGANIZATION["LAGO_ORG_API_KEY"])
    )


def test_again_it_changes_nothing(bed):
    tables = ("users", "organizations", "memberships", "api_keys", "roles", "schema_migrations")
    count = "SELECT " + " || ' ' || ".join(f"(SELECT count(*) FROM {table})" for table in tables)
    before = bed.sql(count)
    again = bed.run("./scripts/migrate.sh", **FIRST_ORGANIZATION | {"LAGO_ORG_USER_PASSWORD": "another"})
    assert again.code == 0, again.says
    assert bed.sql(count) == before


def test_structure_only_leaves_no_roles(empty_bed):
    """What start.sh does: a sign-up after it is answered with 404."""
    bed = empty_bed
    url = bed.database("unseeded")
    assert bed.run("rails", "db:migrate", DATABASE_URL=url).code == 0
    assert bed.sql("SELECT count(*) FROM roles", "unseeded") == "0"
    sign_up = "Registration.create(email: 'a@b', password: 'x', organization_name: 'X')"
    assert "RecordNotFound" in bed.run("rails", "runner", sign_up, DATABASE_URL=url).says


def test_all_migrations_without_structure(empty_bed):
    bed = empty_bed
    url = bed.database("unstructured")
    done = bed.run("rails", "db:migrate", DATABASE_URL=url, SCHEMA="/nonexistent")
    assert done.code == 0, done.says
    assert bed.sql("SELECT count(*) FROM roles", "unstructured") == "3"


def test_extension_of_somebody_else(empty_bed):
    bed = empty_bed
    url = bed.database("prepared")
    bed.sql("CREATE EXTENSION unaccent", "prepared", "postgres")
    done = bed.run("rails", "db:migrate", DATABASE_URL=url)
    assert done.code != 0
    assert "must be owner of extension unaccent" in done.says


def test_without_partman(empty_bed):
    """A fresh installation fails, an upgrade, which runs the migrations, does not."""
    bed = empty_bed
    hide = "rm /usr/share/postgresql/17/extension/pg_partman*"
    serve = "exec setpriv --reuid=postgres --regid=postgres --clear-groups postgres -D /var/lib/postgresql/data"
    settings = "-c listen_addresses=* -c unix_socket_directories=/tmp"
    postgres = bed.start(
        SERVICES,
        "bash",
        "-c",
        f"{hide}; {serve} {settings}",
        alias="plain",
        options=["--user=0"],
    )
    create = [
        "psql",
        "-h",
        "/tmp",
        "-U",
        "postgres",
        "-c",
        "CREATE ROLE lago LOGIN",
        "-c",
        "CREATE DATABASE lago OWNER lago",
    ]
    eventually(lambda: postgres.execute(*create))
    url = "postgresql://lago@plain:5432/lago"
    fresh = bed.run("rails", "db:migrate", DATABASE_URL=url)
    assert fresh.code != 0
    assert 'extension "pg_partman" is not available' in fresh.says
    drop = ["psql", "-h", "/tmp", "-U", "postgres", "-c", "DROP DATABASE lago", "-c", "CREATE DATABASE lago OWNER lago"]
    postgres.execute(*drop)
    upgrade = bed.run("rails", "db:migrate", DATABASE_URL=url, SCHEMA="/nonexistent")
    assert upgrade.code == 0, upgrade.says


def test_old_version_always_creates_the_database(empty_bed):
    bed = empty_bed
    done = bed.run("./scripts/migrate.sh", version="v1.51.0", DATABASE_URL=bed.database("old"))
    assert done.code != 0
    assert "permission denied to create database" in done.says


def test_database_is_created_where_allowed(empty_bed):
    bed = empty_bed
    bed.sql("CREATE ROLE creator LOGIN CREATEDB", "postgres", "postgres")
    done = bed.run("./scripts/migrate.sh", DATABASE_URL="postgresql://creator@postgres:5432/created")
    assert done.code == 0, done.says


def test_upgrades(empty_bed):
    bed = empty_bed
    changes = {"DATABASE_URL": bed.database("upgraded"), "REDIS_URL": "redis://valkey:6379/5", **FIRST_ORGANIZATION}

    def versions():
        return json.loads(bed.sql("SELECT json_agg(version ORDER BY version) FROM schema_migrations", "upgraded"))

    tasks = ["db:migrate", "roles:seed_predefined", "signup:seed_organization", "standin:store_secret[stripe,sk_test]"]
    first = bed.run("rails", *tasks, version="v1.51.0", **changes)
    assert first.code == 0, first.says
    assert len(versions()) == 3
    assert "sk_test" not in bed.sql("SELECT secrets FROM payment_providers", "upgraded")

    assert bed.run("rails", "db:migrate", version=VERSION, **changes).code == 0
    assert len(versions()) == 5

    # A stop that may not be skipped.
    skipped = bed.run("rails", "db:migrate", version="v1.53.0", **changes)
    assert skipped.code != 0
    assert "run upgrade:perform_required_jobs" in skipped.says

    # The jobs need a worker of this version.
    upgrade = bed.lago("rails", "upgrade:perform_required_jobs", STANDIN_UPGRADE_CHECK_SECONDS="1", **changes)
    eventually(lambda: "still to do: 1" in upgrade.logs())
    worker = bed.lago("./scripts/start.worker.sh", **changes)
    eventually(lambda: not upgrade.state()["Running"])
    assert upgrade.state()["ExitCode"] == 0
    worker.kill("KILL")

    broken = bed.run("./scripts/migrate.sh", version="v1.53.0-broken", **changes)
    assert broken.code != 0
    assert "fails half way" in broken.says
    assert bed.sql("SELECT half_done FROM organizations", "upgraded") == "t"
    assert len(versions()) == 6

    slow = bed.run("rails", "db:migrate", version="v1.53.0-slow", STANDIN_MIGRATION_SECONDS="0.1", **changes)
    assert slow.code == 0, slow.says
    assert json.loads(bed.run("rails", "standin:secrets", version="v1.53.0", **changes).says) == {"stripe": "sk_test"}
    wrong = bed.run("rails", "standin:secrets", **changes, LAGO_ENCRYPTION_PRIMARY_KEY="9" * 32)
    assert "Errors::Decryption" in wrong.says


@pytest.mark.parametrize("version", [VERSION, "v1.53.0"])
def test_version(empty_bed, version):
    assert empty_bed.run("bundle", "exec", "rails", "lago:version", version=version).says.strip() == version
