# SPDX-FileCopyrightText: 2026 The selfhosting.lago authors
# SPDX-License-Identifier: AGPL-3.0-or-later
import pytest
from ansible_collections.selfhosting.lago.plugins.plugin_utils.definition import DefinitionError
from ansible_collections.selfhosting.lago.plugins.plugin_utils.product import family_variables, joined
from virtual_host import VirtualHost

FAMILIES = {
    "one": {
        "variables": {"PREFIX_port": 80, "PREFIX_url": "http://{{ PREFIX_name }}:{{ PREFIX_port }}"},
        "lists": ["PREFIX_networks"],
        "dicts": ["PREFIX_headers"],
    }
}


def test_every_name_stands_once_for_each_prefix():
    names = family_variables(FAMILIES, [{"family": "one", "prefixes": ["a", "b"]}])
    of_a = {name for name in names if name.startswith("a_")}
    assert of_a == {
        *("a_port", "a_url", "a_headers", "a_headers_auto", "a_headers_custom"),
        *("a_networks", "a_networks_default", "a_networks_auto", "a_networks_custom"),
    }
    assert {f"b_{name[2:]}" for name in of_a} == names.keys() - of_a
    assert names["b_url"] == "http://{{ b_name }}:{{ b_port }}"


def value(product, name):
    return product.evaluate(name)


PRODUCT = """
families:
  - {family: container, prefixes: [lago_api]}
  - {family: labels, prefixes: [lago_api]}
"""
BASE = {
    "devture_systemd_docker_base_container_stop_grace_time_seconds": 10,
    "devture_systemd_docker_base_container_cleanup_timeout_seconds": 20,
}


def test_the_default_of_a_family(product_of):
    product = product_of(PRODUCT, **BASE)
    assert value(product, "lago_api_container_stop_grace_time_seconds") == 10
    assert value(product, "lago_api_container_cleanup_timeout_seconds") == 20


def test_what_a_user_sets_wins(product_of):
    product = product_of(PRODUCT, **BASE, lago_api_container_stop_grace_time_seconds=25)
    assert value(product, "lago_api_container_stop_grace_time_seconds") == 25


def test_a_list_is_default_auto_custom(product_of):
    name = "lago_api_container_additional_networks"
    lists = {f"{name}_default": ["a"], f"{name}_auto": ["b"], f"{name}_custom": ["{{ third }}"]}
    assert value(product_of(PRODUCT, **lists, third="c"), name) == ["a", "b", "c"]
    assert value(product_of(PRODUCT), name) == []
    assert value(product_of(PRODUCT, **lists, **{name: ["only"]}), name) == ["only"]


def test_a_dictionary_is_auto_overlaid_with_custom(product_of):
    name = "lago_api_container_labels_traefik_additional_request_headers"
    product = product_of(PRODUCT, **{f"{name}_auto": {"a": "1", "b": "1"}, f"{name}_custom": {"b": "2"}})
    assert value(product, name) == {"a": "1", "b": "2"}


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({}, "default"),
        ({"traefik_certResolver_primary": "other"}, "other"),
        ({"lago_container_labels_traefik_tls_certResolver": "lagos"}, "lagos"),
        ({"lago_api_container_labels_traefik_tls_certResolver": "apis"}, "apis"),
    ],
)
def test_a_part_of_lago_takes_what_lago_says(change, expected):
    product = VirtualHost(change=change).product("lago")
    assert value(product, "lago_api_container_labels_traefik_tls_certResolver") == expected


def test_what_a_user_wrote_is_not_a_template_twice():
    product = VirtualHost(change={"lago_environment_variables_tz": "{{ '{{ 1 + 1 }}' }}"}).product("lago")
    assert value(product, "lago_api_environment")["TZ"] == "{{ 1 + 1 }}"


@pytest.mark.parametrize("enabled", [True, "true", "yes"])
def test_enabled(enabled):
    assert VirtualHost(change={"valkey_enabled": enabled}).product("valkey").enabled


@pytest.mark.parametrize("enabled", [False, "false", "no", ""])
def test_not_enabled(enabled):
    assert not VirtualHost(change={"valkey_enabled": enabled}).product("valkey").enabled


def test_a_product_of_several_files():
    parts = [
        {"enabled": True, "services": [1], "variables": {"a": 1}},
        {"services": [2], "variables": {"b": 2}, "bases": {"c": {}}},
    ]
    whole = {"enabled": True, "services": [1, 2], "variables": {"a": 1, "b": 2}, "bases": {"c": {}}}
    assert joined(parts) == whole
    with pytest.raises(DefinitionError, match="variables: defined in two files: a"):
        joined([*parts, {"variables": {"a": 3}}])
