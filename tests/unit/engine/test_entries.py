# SPDX-FileCopyrightText: 2026 The selfhosting.lago authors
# SPDX-License-Identifier: AGPL-3.0-or-later
import pytest
from ansible.errors import AnsibleError
from ansible_collections.selfhosting.lago.plugins.plugin_utils.definition import DefinitionError

MINIMAL = "description: A, image: 'a:1', path: /mash/a, networks: [net]"


def services(product):
    return {service["name"]: service for service in product.services()}


def test_defaults_and_types(product_of):
    made = services(product_of(f"services: [{{name: a, {MINIMAL}, replicas: '{{{{ 1 }}}}', stop_time: '45'}}]"))["a"]
    assert made["kind"] == "service"
    assert made["read_only"] is True
    assert made["stop_time"] == 45
    assert made["environment"] == {}
    assert made["dockerfile"] is None


def test_values_are_plain(product_of):
    """Without tags and lazy containers, so that they can be rendered and sent."""
    product = product_of(f"services: [{{name: a, {MINIMAL}, environment: {{B: '{{{{ b }}}}'}}}}]", b=["x"])
    environment = product.services()[0]["environment"]
    assert type(environment) is dict
    assert type(environment["B"]) is list
    assert type(environment["B"][0]) is str


def test_extends(product_of):
    text = f"""
    bases:
      process: {{{MINIMAL}, stop_time: 45, command: [base]}}
    services:
      - {{name: a, extends: process}}
      - {{name: b, extends: process, command: [own]}}
    """
    made = services(product_of(text))
    assert made["a"]["command"] == ["base"]
    assert made["b"]["command"] == ["own"]
    assert made["a"]["stop_time"] == made["b"]["stop_time"] == 45


def test_for_each_knows_item_and_index(product_of):
    text = """
    files:
      - {path: "/etc/{{ index }}.pem", content: "{{ item.certificate }}", for_each: "{{ certificates }}"}
    """
    certificates = [{"certificate": "first"}, {"certificate": "second"}]
    made = product_of(text, certificates=certificates).files()
    assert [(file["path"], file["content"]) for file in made] == [("/etc/0.pem", "first"), ("/etc/1.pem", "second")]
    assert product_of(text, certificates=[]).files() == []


def test_an_entry_that_is_not_wanted_is_not_resolved(product_of):
    text = """
    networks:
      - {name: a, when: "{{ wanted }}"}
      - {name: "{{ undefined_name }}", when: "{{ not wanted }}"}
    """
    assert [network["name"] for network in product_of(text, wanted=True).networks()] == ["a"]
    with pytest.raises(AnsibleError, match="undefined_name"):
        product_of(text, wanted=False).networks()


def test_when_of_each_item(product_of):
    text = "networks: [{name: '{{ item }}', for_each: [a, b], when: \"{{ item != 'a' }}\"}]"
    assert [network["name"] for network in product_of(text).networks()] == ["b"]


def test_replicas(product_of):
    made = product_of(f"services: [{{name: a, {MINIMAL}, replicas: 3}}]").services()
    assert [service["name"] for service in made] == ["a", "a-2", "a-3"]
    made[0]["environment"]["X"] = "1"
    assert made[1]["environment"] == {}


def test_names_are_those_of_all_services(product_of):
    product = product_of(f"services: [{{name: a, {MINIMAL}, replicas: 2, groups: [g], kind: timer}}]")
    keys = ("name", "kind", "groups", "image")
    assert [[service[key] for key in keys] for service in product.names()] == [
        [service[key] for key in keys] for service in product.services()
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (f"services: [{{name: a, {MINIMAL}, imagee: b}}]", "container a: unknown: imagee. Supported"),
        ("services: [{name: '{{ b }}', description: A}]", "container of b: missing required arguments: image"),
        (f"services: [{{name: a, {MINIMAL}, kind: daemon}}]", "container a: value of kind must be one of"),
        (f"services: [{{name: a, {MINIMAL}, stop_time: soon}}]", "container a: argument 'stop_time'"),
        (
            f"services: [{{name: a, {MINIMAL}, mounts: [{{source: /x}}]}}]",
            "container a: parameters are required together",
        ),
        (f"services: [{{name: a, {MINIMAL}, mounts: [{{read_only: true}}]}}]", "container a: one of the following"),
        (f"services: [{{{MINIMAL}}}]", "container /mash/a: missing required arguments: name"),
        ("files: [{content: x}]", "file without a name: missing required arguments: path"),
        ("directories: [{path: /x, modus: 1}]", "directory /x: unknown: modus. Supported"),
        ("networks: [{name: n, ipv6: maybe}]", "network n: argument 'ipv6'"),
    ],
)
def test_errors_name_the_entry(product_of, text, expected):
    product = product_of(text, b="of b")
    with pytest.raises(DefinitionError) as raised:
        (product.services(), product.files(), product.directories(), product.networks())
    assert str(raised.value).startswith(expected)


def test_all_errors_are_reported_together(product_of):
    with pytest.raises(DefinitionError) as raised:
        product_of("networks: [{name: a, x: 1}, {name: b}, {name: c, y: 1}]").networks()
    assert "network a: " in str(raised.value)
    assert "network c: " in str(raised.value)
