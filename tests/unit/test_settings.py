# SPDX-FileCopyrightText: 2026 The selfhosting.lago authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Lago's settings: what a typed variable becomes in the environment, and what is left out of it."""

import pytest
import yaml
from virtual_host import REPOSITORY, VirtualHost

PREFIX = "lago_api_environment_variable_"
ENVIRONMENT = "/mash/lago/api/env"
MIGRATE = "/mash/lago/migrate/env"


def environment(path=ENVIRONMENT, **change):
    content = VirtualHost("external.example.com", {"mash_playbook_identifier": "mash", **change}).rendered("lago")
    return dict(line.split("=", 1) for line in content[path]["content"].splitlines())


def test_what_is_not_set_is_not_written():
    product = VirtualHost().product("lago")
    names = product._data["settings"]["names"]
    assert len(names) == len(set(names)) > 50
    assert not set(names) & environment().keys()
    assert all("=" in f"{name}={value}" and value != "" for name, value in environment().items())


@pytest.mark.parametrize(
    ("name", "value", "written"),
    [
        ("DATABASE_POOL", 25, "25"),
        ("DATABASE_POOL", "25", "25"),
        ("DATABASE_PREPARED_STATEMENTS", False, "false"),
        ("WEB_CONCURRENCY", 2, "2"),
        ("RAILS_MAX_THREADS", 5, "5"),
        ("SIDEKIQ_CONCURRENCY", 20, "20"),
        ("LAGO_SMTP_PORT", 587, "587"),
        ("LAGO_SMTP_PASSWORD", "a %=#' \"b", "a %=#' \"b"),
        ("LAGO_USE_AWS_S3", True, "true"),
        ("LAGO_USE_AWS_S3", "yes", "true"),
        ("LAGO_AWS_S3_PATH_STYLE", True, "true"),
        ("LAGO_AWS_S3_SSL_VERIFY", False, "false"),
        ("LAGO_CLICKHOUSE_ENABLED", True, "true"),
        ("LAGO_WEBHOOK_ATTEMPTS", 5, "5"),
        ("LAGO_LOG_LEVEL", "warn", "warn"),
        ("OTEL_EXPORTER", "otlp", "otlp"),
    ],
)
def test_what_is_set_is_written_as_lago_reads_it(name, value, written):
    change = {PREFIX + name.lower(): value}
    assert environment(**change)[name] == written
    assert environment(MIGRATE, **change)[name] == written


@pytest.mark.parametrize(
    ("name", "value"),
    [
        # Lago takes any value of these for "on", false and the empty one of some included.
        ("LAGO_CLICKHOUSE_ENABLED", False),
        ("LAGO_CLICKHOUSE_MIGRATIONS_ENABLED", "no"),
        ("OTEL_EXPORTER", ""),
        ("LAGO_SMTP_USERNAME", ""),
        ("LAGO_LICENSE", None),
        # Lago's own defaults.
        ("DATABASE_POOL", 10),
        ("DATABASE_POOL", "10"),
        ("DATABASE_PREPARED_STATEMENTS", True),
        ("LAGO_LOG_LEVEL", "info"),
    ],
)
def test_what_is_off_is_left_out(name, value):
    assert name not in environment(**{PREFIX + name.lower(): value})


def test_the_users_own_lines_win():
    assert environment(
        **{PREFIX + "database_pool": 20, PREFIX.rstrip("_") + "s_additional_variables": "DATABASE_POOL=30\nOTHER=a=b"}
    ) | {"DATABASE_POOL": "30", "OTHER": "a=b"} == environment(
        **{PREFIX.rstrip("_") + "s_additional_variables": "OTHER=a=b\nDATABASE_POOL=30"}
    )


def test_http_is_no_https():
    assert "LAGO_DISABLE_SSL" not in environment()
    assert environment(lago_scheme="http")["LAGO_DISABLE_SSL"] == "true"


def test_without_pdf_files_gotenberg_is_not_there():
    host = VirtualHost(change={PREFIX + "lago_disable_pdf_generation": True})
    files = host.rendered("lago")
    assert "/etc/systemd/system/mash-lago-pdf.service" not in files
    assert "mash-lago-pdf.service" not in files["/etc/systemd/system/mash-lago-api-worker.service"]["content"]
    assert "LAGO_DISABLE_PDF_GENERATION=true" in files[ENVIRONMENT]["content"]
    assert 'window.LAGO_DISABLE_PDF_GENERATION = "true"' in files["/mash/lago/front/env-config.js"]["content"]
    installed = VirtualHost().installed("traefik", "postgres", "valkey", "lago")
    assert host.plan("lago", installed).obsolete == ["mash-lago-pdf.service"]


def test_key_file_of_google():
    host = VirtualHost(change={"lago_gcs_keyfile_json": '{"a": "b"}'})
    files = host.rendered("lago")
    assert files["/mash/lago/api/gcs_keyfile.json"]["content"] == '{"a": "b"}'
    assert files["/mash/lago/api/gcs_keyfile.json"]["secret"] is True
    mount = "--mount=type=bind,source=/mash/lago/api/gcs_keyfile.json,target=/app/gcs_keyfile.json,readonly"
    for unit in ("mash-lago-api", "mash-lago-api-worker", "mash-lago-api-clock"):
        content = files[f"/etc/systemd/system/{unit}.service"]["content"]
        assert mount in content
        assert "/mash/lago/api/gcs_keyfile.json" in content.split("sha256sum ")[1].split(" >")[0].split()


def test_the_rate_limit_is_above_what_the_busiest_page_sends():
    facts = yaml.safe_load((REPOSITORY / "roles/lago/vars/main/main.yml").read_text())["lago_front_requests"]
    busiest = facts["frame"] + max(facts["pages"].values())
    host = VirtualHost()
    assert host.evaluate("lago_api_graphql_rate_limit_burst") >= 10 * busiest
    assert host.evaluate("lago_api_graphql_rate_limit_average") >= busiest
    text = (REPOSITORY / "docs/security.md").read_text()
    assert f"the busiest page sends {busiest} as it opens" in " ".join(text.split())
