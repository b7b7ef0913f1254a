# SPDX-FileCopyrightText: 2026 The selfhosting.lago authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""The settings that MASH's example files and documentation show go through the preflight without a problem."""

import pytest
from ansible_collections.selfhosting.lago.plugins.action import preflight
from virtual_host import PRODUCTS, VirtualHost, settings

KEY = "lago_api_environment_variable_lago_rsa_private_key"
EXAMPLE = {
    "mash_playbook_generic_secret_key": "a-strong-secret-key",
    "mash_playbook_docker_installation_enabled": True,
    "devture_docker_sdk_for_python_installation_enabled": True,
    "devture_timesync_installation_enabled": True,
    "devture_systemd_docker_base_ipv6_enabled": True,
    "mash_playbook_reverse_proxy_type": "playbook-managed-traefik",
    "traefik_config_certificatesResolvers_acme_email": "your-email@example.com",
    "postgres_enabled": True,
    # What the user put in place of the example's placeholder.
    "postgres_connection_password": "v4gUcSNXYmCqk2e9",
}
LAGO = {
    **EXAMPLE,
    "lago_enabled": True,
    "lago_hostname": "lago.example.com",
    # No unit test asks a name server.
    "mash_playbook_dns_check_enabled": False,
    "lago_path_prefix": "/",
    KEY: settings("lago.example.com")[KEY],
    "lago_front_environment_variable_lago_disable_signup": False,
}
EXAMPLES = {
    "examples/vars.yml": EXAMPLE,
    "Lago with the server's Valkey": {
        **LAGO,
        "valkey_enabled": True,
        "lago_redis_hostname": "{{ valkey_identifier }}",
        "lago_api_systemd_required_services_list_custom": ["{{ valkey_identifier }}.service"],
        "lago_api_container_additional_networks_custom": ["{{ valkey_identifier }}"],
    },
    "Lago with a Valkey of its own": {
        **LAGO,
        "lago_redis_hostname": "mash-lago-valkey",
        "lago_api_systemd_required_services_list_custom": ["mash-lago-valkey.service"],
        "lago_api_container_additional_networks_custom": ["mash-lago-valkey"],
    },
    "that Valkey": {
        "mash_playbook_generic_secret_key": "a-strong-secret-key",
        "mash_playbook_service_identifier_prefix": "mash-lago-",
        "mash_playbook_service_base_directory_name_prefix": "lago-",
        "valkey_enabled": True,
    },
}


@pytest.mark.parametrize("name", EXAMPLES)
def test_example(name):
    host = VirtualHost("bare.example.com", EXAMPLES[name])
    action = host.action(preflight, {"products": list(PRODUCTS), "server": host.server})
    assert action.run(None, host.variables)["problems"] == []


def test_it_can_fail():
    host = VirtualHost("bare.example.com", {**EXAMPLE, "postgres_connection_password": ""})
    action = host.action(preflight, {"products": list(PRODUCTS), "server": host.server})
    assert "postgres_connection_password" in " ".join(action.run(None, host.variables)["problems"])
