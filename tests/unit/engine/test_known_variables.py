# SPDX-FileCopyrightText: 2026 The selfhosting.lago authors
# SPDX-License-Identifier: AGPL-3.0-or-later
import pytest
import yaml
from ansible_collections.selfhosting.lago.plugins.action import preflight
from ansible_collections.selfhosting.lago.plugins.plugin_utils.known_variables import (
    unknown_variables,
    without_effect,
)
from virtual_host import PRODUCTS, REPOSITORY, VirtualHost, ansible_variables

MASH = yaml.safe_load((REPOSITORY / "plugins" / "plugin_utils" / "mash_variables.yml").read_text())


def told(*names, own=()):
    return unknown_variables(names, own)


@pytest.mark.parametrize(
    ("name", "near"),
    [
        ("lago_hostnam", "lago_hostname"),
        ("lago_api_container_extra_argument_custom", "lago_api_container_extra_arguments_custom"),
        ("postgres_conection_password", "postgres_connection_password"),
        ("valkey_enable", "valkey_enabled"),
        ("traefik_config_certificatesResolvers_acme_mail", "traefik_config_certificatesResolvers_acme_email"),
        ("mash_playbook_generic_secret_keys", "mash_playbook_generic_secret_key"),
        ("devture_systemd_docker_base_ipv6_enable", "devture_systemd_docker_base_ipv6_enabled"),
    ],
)
def test_a_misspelled_name_is_answered_with_the_nearest(name, near):
    (problem,), remarks = told(name)
    assert problem == (
        f"{name} is unknown here and in MASH. Did you mean {near}? Correct the name or remove the line; a variable of "
        "your own goes into mash_playbook_known_variables."
    )
    assert (problem.variable, remarks) == (name, [])


def test_a_name_that_is_like_no_other():
    (problem,), _remarks = told("lago_zzz")
    assert problem.startswith(
        "lago_zzz is unknown here and in MASH. Remove the line; a variable of your own goes into "
    )


def test_a_name_of_the_users_own():
    assert told("lago_zzz", "lago_yyy", own=["lago_zzz", "lago_yyy"]) == ([], [])
    assert [problem.variable for problem in told("lago_zzz", "lago_yyy", own=["lago_zzz"])[0]] == ["lago_yyy"]


@pytest.mark.parametrize(("name", "new"), MASH["renamed"].items())
def test_a_renamed_variable(name, new):
    assert told(name)[0] == [f"{name} is called {new} now. Rename it; the value stays as it is."]
    assert told(new) == ([], []), "the new name is carried"


@pytest.mark.parametrize(
    ("name", "new"),
    [
        ("devture_postgres_enabled", "postgres_enabled"),
        ("devture_traefik_dashboard_rule", "traefik_dashboard_rule"),
        ("devture_postgres_backup_schedule", "postgres_backup_schedule"),
    ],
)
def test_a_name_with_what_mash_dropped(name, new):
    assert told(name)[0] == [f"{name} is called {new} now. Rename it; the value stays as it is."]


@pytest.mark.parametrize("name", MASH["removed"])
def test_a_removed_variable(name):
    (problem,), remarks = told(name)
    assert problem.startswith(f"{name} does not exist any more. Remove the line. ")
    assert not remarks


def test_all_of_them_together():
    problems, remarks = told(*MASH["renamed"], *MASH["removed"], "lago_hostnam", "backup_borg_enabled")
    assert len(problems) == len(MASH["renamed"]) + len(MASH["removed"]) + 1
    assert len(remarks) == 1


@pytest.mark.parametrize("group", MASH["not_carried"], ids=lambda group: group["names"][0])
def test_what_mash_knows_and_this_project_does_not_carry_is_one_line(group):
    problems, (remark,) = told(*group["names"])
    assert not problems
    assert remark == f"{', '.join(sorted(group['names']))}: no effect. {group['means']}"


def test_other_services_of_mash_are_nobodys_business():
    assert told("nextcloud_enabled", "exim_relay_of_the_user", "aux_of_the_user", "my_lago_hostname") == ([], [])


def test_what_ansible_itself_gives_is_known():
    """Defaults, wiring, facts of the roles, Ansible's own variables."""
    assert told(*ansible_variables("bare.example.com"), *VirtualHost().variables) == ([], [])


def test_what_has_no_effect_is_said():
    names = {"lago_hostname": "lago.example.com", "container_socket_proxy_enabled": False}
    (line,) = without_effect(names)
    assert line == "container_socket_proxy_enabled: no effect. Traefik always has its proxy."
    assert without_effect(ansible_variables("bare.example.com")) == []


def run(change):
    host = VirtualHost(change={"mash_playbook_dns_check_enabled": False, **change})
    return host.action(preflight, {"products": list(PRODUCTS), "server": host.server}).run(None, host.variables)


def test_the_preflight_says_both():
    result = run({"backup_borg_enabled": True, "backup_borg_schedule": "daily"})
    assert result["problems"] == []
    (line,) = result["hints"]
    assert line.startswith("backup_borg_enabled, backup_borg_schedule: no effect. ")
    result = run({"lago_hostnam": "a secret", "lago_api_container_http_bind_port": "x", "lago_path_prefix": "/x"})
    assert [problem.split()[0] for problem in result["problems"]] == [
        "lago_api_container_http_bind_port",
        "lago_hostnam",
        "lago_path_prefix",
    ]
