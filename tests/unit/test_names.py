# SPDX-FileCopyrightText: 2026 The selfhosting.lago authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Every variable that products, templates and checks refer to is defined somewhere."""

import functools
import re

import pytest
import yaml
from ansible.template import is_trusted_as_template
from ansible_collections.selfhosting.lago.plugins.plugin_utils import render
from ansible_collections.selfhosting.lago.plugins.plugin_utils.product import FAMILIES, MARKER, check_files
from jinja2 import Environment, FileSystemLoader, meta, nodes
from virtual_host import PRODUCTS, REPOSITORY, VirtualHost, ansible_variables, product_data

# Ansible's own, what a loop sets, and what the command line of a verb sets.
KNOWN = {"item", "index", "groups", "hostvars", "inventory_hostname", "group", "omit", "target", "selfhosting_verb"}
KNOWN |= {"ansible_host", "ansible_run_tags", "ansible_check_mode", "ansible_play_hosts"}
# Registered by the tasks of the roles base and upgrade.
REGISTERED = {"selfhosting_probe", "upgrade_plan", "rollback_plan"}


class Anything(dict):
    """Whatever the name of a filter or test is, it is known: not what this is about."""

    def get(self, _name, _default=None):
        return bool

    def __contains__(self, _name):
        return True


PARSER = Environment()
PARSER.filters = PARSER.tests = Anything()


def strings(value):
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for item in value.values():
            yield from strings(item)
    elif isinstance(value, list):
        for item in value:
            yield from strings(item)


def names_in(text):
    parsed = PARSER.parse(text)
    # What a template sets itself, under a condition too.
    own = {node.target.name for node in parsed.find_all(nodes.Assign) if isinstance(node.target, nodes.Name)}
    return meta.find_undeclared_variables(parsed) - own


def read(path):
    return yaml.safe_load(path.read_text()) or {}


@functools.cache
def defined(role):
    """What the data of a role may refer to."""
    product = VirtualHost().product(role)
    return KNOWN | REGISTERED | set(ansible_variables("bare.example.com")) | set(product._settled.variables)


PATHS = sorted(path for path in REPOSITORY.glob("roles/*/*.yml") if path.stem != "families")
DEFAULTS = sorted([*REPOSITORY.glob("roles/*/defaults/*.yml"), *REPOSITORY.glob("roles/*/vars/**/*.yml")])


@pytest.mark.parametrize("path", PATHS, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_data_of_a_role(path):
    role = path.parent.name
    for text in strings(read(path)):
        unknown = names_in(text) - defined(role)
        assert not unknown, f"{path.name}: {unknown} in {text}"


@pytest.mark.parametrize("role", ["base", *PRODUCTS])
def test_variables_of_a_role(role):
    """Those of its families, its own, defaults, wiring and what the user wrote."""
    for name, value in VirtualHost().product(role)._settled.variables.items():
        for text in strings(value):
            assert not is_trusted_as_template(text) or not names_in(text) - defined(role), (name, text)


@pytest.mark.parametrize("role", ["base", *PRODUCTS])
def test_checks(role):
    for check in [check for file in check_files(role) for check in read(REPOSITORY / "roles" / role / file)]:
        assert check.keys() <= {"variable", "when", "that", "seen", "secret", "detail", "say", "fact", "warning"}
        for key in ("variable", "when", "that", "seen"):
            if key in check:
                assert not names_in(f"{{{{ {check[key]} }}}}") - defined(role), check


@pytest.mark.parametrize("path", DEFAULTS, ids=lambda path: f"{path.parent.parent.name}-{path.stem}")
def test_defaults_and_wiring(path):
    every = set().union(*(defined(role) for role in ("base", *PRODUCTS)))
    for text in strings(read(path)):
        assert not names_in(text) - every, text


def test_wiring_sets_only_what_belongs_to_it():
    """It outranks an inventory's group_vars, so a name that users set must not stand in it."""
    path = REPOSITORY / "playbooks" / "group_vars" / "mash_servers.yml"
    every = set().union(*(defined(role) for role in PRODUCTS))
    for name, value in read(path).items():
        assert name.endswith("_auto"), name
        assert not names_in(value) - every, name
        assert re.sub("_auto$", "_custom", name) in every, name


def test_families():
    families = dict(read(REPOSITORY / FAMILIES))
    for role in PRODUCTS:
        path = REPOSITORY / "roles" / role / "families.yml"
        families |= read(path) if path.exists() else {}
    used = {use["family"] for role in PRODUCTS for use in product_data(role).get("families", [])}
    assert used == set(families), "each family is used, and each that is used is there"
    for family in families.values():
        names = [*family.get("variables", {}), *family.get("lists", []), *family.get("dicts", [])]
        assert all(name.startswith(f"{MARKER}_") for name in names)


def template_of(role, name):
    return REPOSITORY / "roles" / role / "templates" / name


@pytest.mark.parametrize("role", PRODUCTS)
def test_templates_use_what_their_entry_gives_them(role):
    used = set()
    for entry in product_data(role).get("files", []):
        if "template" in entry:
            used.add(entry["template"])
            names = names_in(template_of(role, entry["template"]).read_text())
            assert names == set(entry.get("context", {})), entry["template"]
    directory = REPOSITORY / "roles" / role / "templates"
    assert used == {path.name for path in directory.glob("*")}


def test_templates_are_strict():
    directory = f"{REPOSITORY}/plugins/plugin_utils/templates"
    assert render.environment(directory).undefined.__name__ == "StrictUndefined"
    assert isinstance(render.environment(directory).loader, FileSystemLoader)


@pytest.mark.parametrize("name", ["lago.example.com", "external.example.com"])
def test_everything_that_a_host_enables_can_be_rendered(name):
    host = VirtualHost(name)
    enabled = [product for product in PRODUCTS if host.product(product).enabled]
    assert enabled == (["lago"] if name.startswith("external") else list(PRODUCTS))
    for product in enabled:
        files = host.rendered(product)
        assert files
        for path, file in files.items():
            # Programs, which are copied as they are.
            if "/container-" in path or path.endswith(".py"):
                continue
            # What Python shows of a value that was not meant to be text, and what nobody filled in.
            content = re.sub(r"\{\{\.State\.\w+\}\}", "", file["content"])  # docker inspect fills these in
            assert not re.search(r"None\b|Undefined|<ansible|\{\{|\}\}", content), path


def test_the_example_is_enough():
    """inventory/examples/vars.yml with what is empty filled in."""
    example = read(REPOSITORY / "inventory" / "examples" / "vars.yml")
    filled = {name: value or "x" * 32 for name, value in example.items() if value is not False}
    host = VirtualHost("bare.example.com", change={**example, **filled})
    for product in PRODUCTS:
        # Where backups go is for the administrator to say.
        assert host.product(product).enabled == (product != "backup")
        assert host.rendered(product)
    assert all(name in defined("lago") for name in example)


def test_a_host_that_says_nothing_gets_nothing():
    host = VirtualHost("bare.example.com")
    assert not [product for product in PRODUCTS if host.product(product).enabled]
