# SPDX-FileCopyrightText: 2026 The selfhosting.lago authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""What a compose project becomes here."""

import base64

import pytest
import yaml
from ansible_collections.selfhosting.lago.plugins.plugin_utils import adoption, moving
from ansible_collections.selfhosting.lago.plugins.plugin_utils.specification import options_of

KINDS = {
    "default": {"script": "start.worker.sh"},
    "events": {"flag": "SIDEKIQ_EVENTS"},
    "pdfs": {"flag": "SIDEKIQ_PDFS"},
}
PREFIX = "lago_api_environment_variable_"


def adopted(project, **user):
    return adoption.adoption_of(project, options_of("lago"), user, KINDS)


def test_the_vendors_project_as_it_is(project):
    found = adopted(project())
    assert found.problems == []
    assert found.passing == {"lago_version": "v1.51.0"}
    pem = base64.b64decode(found.variables.pop(f"{PREFIX}lago_rsa_private_key"))
    assert pem == b"-----BEGIN RSA PRIVATE KEY-----\nkey\n-----END RSA PRIVATE KEY-----\n"
    assert found.variables == {
        f"{PREFIX}encryption_primary_key": "primary-of-the-project",
        f"{PREFIX}encryption_deterministic_key": "deterministic-of-the-project",
        f"{PREFIX}encryption_key_derivation_salt": "salt-of-the-project",
        f"{PREFIX}secret_key_base": "secret-key-base-of-the-project",
        "lago_hostname": "billing.example.com",
        "lago_migrate_environment_variable_lago_create_org": False,
        f"{PREFIX}lago_api_url": "https://billing.example.com/api",
    }


def test_secrets_are_masked_on_the_screen_and_whole_in_the_file(project):
    found = adopted(project({"LAGO_SMTP_PASSWORD": "smtp-secret", "MINE": "mine-secret"}))
    shown = "\n".join(moving.announced(project(), found, 17) + found.hints)
    for secret in ("smtp-secret", "mine-secret", "of-the-project", "LS0tLS1"):
        assert secret not in shown
        assert secret in found.text("/opt/lago")
    assert f"{PREFIX}lago_smtp_password: (a secret)" in shown
    assert "v1.51.0, which stays" in shown


def test_the_file_gives_the_values_back(project):
    found = adopted(project({"LAGO_SMTP_PASSWORD": "a{{b}}: 'c' \"d\" #e\\", "LAGO_FROM_EMAIL": "ä@example.com"}))
    text = found.text("/opt/lago").replace("!unsafe ", "")
    assert yaml.safe_load(text) == found.variables
    assert f"{PREFIX}lago_smtp_password: !unsafe " in found.text("/opt/lago")


@pytest.mark.parametrize(
    ("environment", "variables"),
    [
        ({"LAGO_WEBHOOK_ATTEMPTS": "3"}, {}),
        ({"LAGO_WEBHOOK_ATTEMPTS": "5"}, {f"{PREFIX}lago_webhook_attempts": 5}),
        ({"LAGO_DISABLE_PDF_GENERATION": "true"}, {f"{PREFIX}lago_disable_pdf_generation": True}),
        ({"LAGO_DISABLE_PDF_GENERATION": "off"}, {}),
        ({"LAGO_FROM_EMAIL": "a@example.com"}, {f"{PREFIX}lago_from_email": "a@example.com"}),
        ({"SIDEKIQ_CONCURRENCY": "5"}, {f"{PREFIX}sidekiq_concurrency": 5}),
        (
            {"LAGO_USE_AWS_S3": "true"},
            {f"{PREFIX}lago_use_aws_s3": True, f"{PREFIX}lago_aws_s3_access_key_id": "azerty123456"},
        ),
        ({"LAGO_DISABLE_SIGNUP": "true"}, {"lago_front_environment_variable_lago_disable_signup": True}),
        ({"LAGO_DISABLE_SIGNUP": "false"}, {"lago_front_environment_variable_lago_disable_signup": False}),
        ({"MINE": "1"}, {"lago_api_environment_variables_additional_variables": "MINE=1\n"}),
        ({"SIDEKIQ_EVENTS": "true"}, {"lago_workers": [{"kind": "events"}]}),
        ({"SIDEKIQ_EVENTS": "false"}, {}),
    ],
)
def test_settings(project, environment, variables):
    plain, found = adopted(project()), adopted(project(environment))
    assert found.problems == []
    assert {name: value for name, value in found.variables.items() if name not in plain.variables} == variables


def test_the_plain_name_of_a_key_wins_as_in_lago(project):
    found = adopted(project({"ENCRYPTION_PRIMARY_KEY": "the plain one"}))
    assert found.variables[f"{PREFIX}encryption_primary_key"] == "the plain one"


def test_an_rsa_key_of_several_lines_in_the_environment(project):
    found = adopted(project({"LAGO_RSA_PRIVATE_KEY": "LS0t\nLS1C\n"}, rsa_key=""))
    assert found.variables[f"{PREFIX}lago_rsa_private_key"] == "LS0tLS1C"


def test_another_address_of_the_api_is_told(project):
    found = adopted(project({"LAGO_API_URL": "http://localhost:3000"}))
    assert f"{PREFIX}lago_api_url" not in found.variables
    assert any("was http://localhost:3000 and becomes https://billing.example.com/api" in hint for hint in found.hints)


def test_the_name_in_vars_yml_counts(project):
    found = adopted(project({"LAGO_FRONT_URL": "http://localhost"}), lago_hostname="lago.example.com")
    assert found.problems == []
    assert "lago_hostname" not in found.variables


def without(project, *names):
    for name in names:
        del project["containers"][name]
    project["processes"] = {
        process: [name for name in found if name not in names]
        for process, found in project["processes"].items()
        if set(found) - set(names)
    }
    return project


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda make: make(exists=False), "There is no directory /opt/lago"),
        (lambda make: without(make(), "lago-api"), "No container on the server was made from /opt/lago"),
        (lambda make: make(names=["a", "b"]), "has the projects a, b"),
        (lambda make: make(installed=True), "Lago is installed here already"),
        (lambda make: make({"DATABASE_URL": "postgresql://x:y@elsewhere/lago"}), "leads to elsewhere"),
        (lambda make: make({"REDIS_URL": "redis://elsewhere:6379"}), "REDIS_URL leads to elsewhere"),
        (lambda make: make(free=1000), "are free and moving needs"),
        (lambda make: make(record={"directory": "/other", "state": "moving"}), "has adopted /other already"),
        (lambda make: make({"SECRET_KEY_BASE": ""}), "has no SECRET_KEY_BASE"),
        (lambda make: make(rsa_key=""), "has no LAGO_RSA_PRIVATE_KEY"),
        (
            lambda make: make({"LAGO_FRONT_URL": "http://localhost"}),
            "lago_hostname: the project calls itself http://localhost",
        ),
        (lambda make: make({"LAGO_FRONT_URL": "http://192.0.2.1"}), "lago_hostname: the project calls itself"),
        (lambda make: make({"MINE": "two\nlines"}), "MINE has several lines"),
        (lambda make: make(environment_file={"SECRET_KEY_BASE": "another"}), "has other keys than the API's container"),
    ],
)
def test_what_stands_in_the_way(project, change, said):
    found = adopted(change(project))
    assert any(said in problem for problem in found.problems), found.problems
    assert not any("of-the-project" in problem for problem in found.problems)


def test_containers_that_are_down(project):
    stopped = project()
    stopped["containers"]["lago-db"]["running"] = False
    assert any("lago-db does not run" in problem for problem in adopted(stopped).problems)
    # A run that goes on has stopped them itself.
    stopped["record"] = {"directory": "/opt/lago", "state": "moving"}
    assert adopted(stopped).problems == []


def test_other_releases_and_images_without_one(project):
    other = project()
    other["containers"]["lago-front"]["image"] = "getlago/front:v1.50.0"
    assert any("lago-front (getlago/front:v1.50.0)" in problem for problem in adopted(other).problems)
    unnamed = project()
    unnamed["containers"]["lago-api"]["image"] = "getlago/api:latest"
    assert any("Which release" in problem for problem in adopted(unnamed).problems)
    unnamed["containers"]["lago-api"]["image_environment"] = {"LAGO_VERSION": "v1.51.0"}
    assert adopted(unnamed).passing == {"lago_version": "v1.51.0"}


def test_what_was_written_into_env_and_never_brought_up(project):
    written = {"LAGO_FROM_EMAIL": "new@example.com", "LAGO_API_URL": "", "POSTGRES_PASSWORD": "secret-of-the-project"}
    found = adopted(project({"LAGO_FROM_EMAIL": "old@example.com"}, environment_file=written))
    assert found.problems == []
    assert found.variables[f"{PREFIX}lago_from_email"] == "old@example.com"
    (hint,) = found.hints
    assert "which count here: LAGO_FROM_EMAIL. " in hint
    assert "example.com" not in hint


def test_errors_of_the_front_end_are_reported_where_they_were(project):
    reporting = project()
    reporting["containers"]["lago-front"]["environment"]["SENTRY_DSN"] = "https://key@sentry.example.com/1"
    found = adopted(reporting)
    assert found.variables["lago_front_environment_variable_sentry_dsn"] == "https://key@sentry.example.com/1"
    assert f"{PREFIX}sentry_dsn" not in found.variables


def test_what_is_no_part_of_lago_is_named_and_left(project):
    more = project()
    more["containers"]["certbot"] = {**more["containers"]["lago-pdf"], "image": "certbot/certbot"}
    found = adopted(more)
    assert found.problems == []
    assert "certbot (certbot/certbot) is no part of Lago that is known here; it stays as it is." in found.hints


def test_what_the_program_is_told(project):
    ours = {"storage": {"target": "/mash/lago/data"}, "postgres": {}, "redis": {}}
    told = moving.request(project(), {**ours, "quiet": [], "drain_seconds": 60, "record_path": "/r"})
    assert list(told["source"]["processes"]) == ["clock", "worker", "api", "front", "pdf", "migrate"]
    assert told["source"]["data"] == ["lago-db", "lago-redis"]
    assert told["postgres"]["source"] == {"container": "lago-db", "user": "lago", "database": "lago"}
    assert told["redis"]["source"]["database"] == 0
    assert told["storage"] == {"target": "/mash/lago/data", "source": "/var/lib/docker/volumes/lago_storage/_data"}


def test_the_way_back_starts_the_data_first_and_nothing_that_was_down(project):
    lines = moving.way_back(project())
    assert lines[-1].split()[:4] == ["docker", "start", "lago-db", "lago-redis"]
    assert "lago-migrate" not in lines[-1]


def test_deleting_the_project_names_its_volumes(project):
    assert moving.farewell(project())[-1].split() == ["docker", "volume", "rm", "lago_storage"]
    gone = {**project(), "containers": {}, "record": {"containers": {"lago-api": {"running": True}}}}
    assert moving.farewell(gone) == ["Of the project nothing is left."]


def test_proof_and_loss():
    tables = {"payment_providers": {"rows": 3, "live": 2, "configured": 2}}
    assert moving.proven(tables) == (
        [],
        ["payment_providers: 1 stored credentials are readable with no key, in the project neither."],
    )
    assert moving.proven({"a": {"rows": 1, "live": 1, "configured": 0}})[0]
    assert moving.lost(tables, {"payment_providers": {"rows": 3, "live": 2}}) == []
    assert moving.lost(tables, {"payment_providers": {"rows": 3, "live": 1}}) == ["payment_providers: 2 there, 1 here"]
