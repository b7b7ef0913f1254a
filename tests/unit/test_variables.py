# SPDX-FileCopyrightText: 2026 The selfhosting.lago authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Each variable is specified, and each specification says what is true: meta/argument_specs.yml of all roles."""

import functools
import re
from pathlib import Path

import pytest
import variables_reference
import yaml
from ansible_collections.selfhosting.lago.plugins.plugin_utils.known_variables import WITHOUT_EFFECT
from ansible_collections.selfhosting.lago.plugins.plugin_utils.product import (
    FAMILIES,
    MARKER,
    family_variables,
    setting_variables,
)
from ansible_collections.selfhosting.lago.plugins.plugin_utils.specification import defaults_of, fault, options_of
from virtual_host import PRODUCTS, REPOSITORY, product_data

ROLES = sorted(path.name for path in (REPOSITORY / "roles").iterdir())
# What a command line sets, and no defaults/main.yml can: it would be there for all runs.
COMMAND_LINE = {"services": {"confirm", "delete_data", "group"}}
# Names in a product's data with which its own entries say something once; nobody is meant to set them.
INTERNAL = re.compile(
    r"""^(
    selfhosting_.*
    | .*_(router|headers_middleware)
    | lago_(api_environment_path|front_config_path|front_start_path|process_networks)
    | lago_(api_environment|create_organization|key_fingerprints)
    | lago_api_((legacy_|limited_)?rule|middlewares|unavailable_middleware|rate_limit_middleware)
    | lago_(un)?limited_paths
    | lago_api_(retry_middleware|health_check) | lago_worker_(list|flags)
    | lago_(unavailable_name|compression_middlewares|api_legacy_prefix|pdf_path_prefix)
    | lago_(api|pdf)_strip_middleware
    | lago_api_settings(_defaults)?
    | lago_gcs_keyfile_path | lago_process_mounts | lago_database_(managed|password_(changes|script))
    | lago_upkeep_path | lago_(watchdog|catch_up|locks)_identifier
    | lago_admin_surfaces
    | backup_(program_path|command|ssh_command|sftp_host|configuration)
    | postgres_databases_script
    | postgres_program_(path|state_path|command|configuration)
    | traefik_dynamic_path
    | valkey_(programs_path|runs_without_append_only)
    )$""",
    re.VERBOSE,
)
# Where MASH's names can be read; not part of the repository.
REFERENCE = REPOSITORY.parent / "shared" / "reference"
# What this project says of MASH's names.
MASH = REPOSITORY / "plugins" / "plugin_utils" / "mash_variables.yml"
# Beginnings of the names of what this project carries.
CARRIED = ("lago_", "valkey_", "postgres_", "traefik_", "container_socket_proxy_", "mash_playbook_", "devture_")


def read(path):
    return yaml.safe_load(path.read_text()) if path.exists() else None


@functools.cache
def defined(role):
    """Name to value, as written, of what a user can set; where a name is defined twice, as what wins."""
    directory = REPOSITORY / "roles" / role
    product = product_data(role)
    families = {**read(Path(FAMILIES)), **(read(directory / "families.yml") or {})}
    names = {
        **family_variables(families, product.get("families", [])),
        **setting_variables(product.get("settings"), options_of(role)),
        **product.get("variables", {}),
        **(read(directory / "defaults" / "main.yml") or {}),
    }
    return {name: value for name, value in names.items() if not INTERNAL.match(name)}


def texts(value):
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from texts(key)
            yield from texts(item)
    elif isinstance(value, list):
        for item in value:
            yield from texts(item)


def is_plain(value):
    return not any("{{" in text for text in texts(value))


SPECIFIED = [(role, name) for role in ROLES for name in options_of(role)]


@pytest.mark.parametrize("role", ROLES)
def test_names(role):
    names = defined(role).keys() | COMMAND_LINE.get(role, set())
    assert options_of(role).keys() - names == set(), "specified, but not defined"
    assert names - options_of(role).keys() == set(), "defined, but not specified"


def test_a_name_belongs_to_one_role():
    names = [name for _role, name in SPECIFIED]
    assert len(names) == len(set(names))


@pytest.mark.parametrize("role", ROLES)
def test_keys_stand_once(role):
    """YAML takes the last of two equal keys without a word."""
    text = (REPOSITORY / "roles" / role / "meta" / "argument_specs.yml").read_text()
    names = re.findall(r"^      (\w+):", text, re.MULTILINE)
    assert sorted(names) == sorted(options_of(role))


@pytest.mark.parametrize("role", ROLES)
def test_plain_defaults(role):
    options = options_of(role)
    for name, value in defined(role).items():
        if is_plain(value):
            assert "default" in options[name], f"{name}: {value!r}"
            # The text "80" and the number 80 are equal for a user, but not in the documentation.
            assert repr(options[name]["default"]) == repr(value), name
        else:
            assert "default" not in options[name], f"{name} is computed: {value}"


@pytest.mark.parametrize("role", ROLES)
def test_plain_defaults_fit(role):
    for name, option in options_of(role).items():
        if "default" in option:
            assert fault(option["default"], option) is None, name


def nested(name, option):
    yield name, option
    for inner, suboption in option.get("options", {}).items():
        yield from nested(f"{name}.{inner}", suboption)


KEYS = {"type", "elements", "options", "choices", "default", "required", "no_log", "description"}
ALL = [pair for role in ROLES for name, option in options_of(role).items() for pair in nested(name, option)]


def test_each_has_a_type_and_a_description():
    for name, option in ALL:
        assert option.keys() <= KEYS, name
        assert option["type"] in ("bool", "dict", "int", "list", "path", "raw", "str"), name
        assert ("elements" in option) == (option["type"] == "list"), name
        assert re.fullmatch(r"[A-Z].*\.", option["description"]), f"{name}: {option['description']}"


def test_secrets_are_marked():
    word = re.compile(
        r"password$|_secret_|_key$|_key_base$|_salt$|_license$|sentry_dsn$|additional_variables$|_database_url$"
    )
    public = re.compile(r"^lago_front_")
    for name, option in ALL:
        if word.search(name) and not public.match(name):
            assert option.get("no_log"), name


@functools.cache
def referred():
    """Every name that an expression, a template or a check uses."""
    found = set()
    paths = [Path(FAMILIES), REPOSITORY / "playbooks" / "group_vars" / "mash_servers.yml"]
    for pattern in ("*.yml", "*/*.yml", "vars/main/*.yml"):
        paths += [path for path in REPOSITORY.glob(f"roles/*/{pattern}") if path.parent.name != "meta"]
    for path in paths:
        for text in texts(read(path)):
            found.update(re.findall(r"\w+", text))
    for role in PRODUCTS:
        directory = REPOSITORY / "roles" / role
        settings = product_data(role).get("settings")
        for text in texts(setting_variables(settings, options_of(role))):
            found.update(re.findall(r"\w+", text) if "{{" in text else ())
        families = {**read(Path(FAMILIES)), **(read(directory / "families.yml") or {})}
        for use in product_data(role).get("families", []):
            for prefix in use["prefixes"]:
                for name, value in family_variables(families, [{**use, "prefixes": [prefix]}]).items():
                    # Its own name is no use of it, and what makes an unused name is none either.
                    for text in texts(value):
                        found.update(word for word in re.findall(r"\w+", text) if word != name)
    return {name for name in found if MARKER not in name}


def test_what_does_nothing_says_so():
    for name, option in ALL:
        if "." in name or name in COMMAND_LINE["services"]:
            continue
        if name not in referred():
            assert option["description"].startswith(WITHOUT_EFFECT), f"nothing uses {name}"


def listed(*files):
    lines = [line for file in files for line in (REFERENCE / file).read_text().splitlines()]
    return {line.split("\t")[0] for line in lines if line and not line.startswith(("#", "name\t"))}


def mash_names():
    """Names of MASH that users of its Lago know, of the roles that are carried here."""
    names = listed("lago-variables.tsv", "valkey-variables.tsv", "documented-variables.tsv")
    return {name for name in names if name.startswith(CARRIED)}


def other_names():
    return listed("mash-other-variables.tsv")


def not_carried():
    return [name for group in read(MASH)["not_carried"] for name in group["names"]]


def test_what_is_not_carried():
    """A name that a role gets has to leave plugins/plugin_utils/mash_variables.yml."""
    names = not_carried()
    assert sorted(names) == sorted(set(names)), "a name stands once"
    assert not set(names) & {name for _role, name in SPECIFIED}, "these are carried by now: take them out of the list"
    groups = read(MASH)["not_carried"]
    assert all(group["means"].endswith(".") and group["names"] for group in groups)


@pytest.mark.skipif(not REFERENCE.exists(), reason="MASH's names are not at hand")
def test_names_of_mash(record_property):
    known = {name for _role, name in SPECIFIED}
    names = mash_names()
    assert len(names) > 200
    missing = set(not_carried())
    assert names | other_names() == (names | other_names()) & (known | missing), "neither carried nor listed"
    assert missing - names - other_names() == set(), "MASH does not have these"
    record_property("names of MASH", len(names))
    record_property("of these missing", len(names & missing))
    print(f"{len(names)} names of MASH, {len(names & missing)} of them missing")


def test_what_the_preflight_takes_for_right():
    """As Ansible reads it, the wiring over the defaults."""
    wiring = read(REPOSITORY / "playbooks" / "group_vars" / "mash_servers.yml")
    for role in ROLES:
        defaults = read(REPOSITORY / "roles" / role / "defaults" / "main.yml") or {}
        assert defaults_of(role) == {**defaults, **wiring}


def test_ansible_does_not_validate_at_the_start_of_roles():
    """That would be after earlier roles have changed the server; the preflight has done it before."""
    plays = read(REPOSITORY / "playbooks" / "setup.yml")
    imports = [task["ansible.builtin.import_role"] for play in plays for task in play["tasks"]]
    assert {task["name"].rpartition(".")[2] for task in imports} == set(ROLES)
    assert all(task["rolespec_validate"] is False for task in imports)
    assert not any("roles" in play for play in plays)


def test_the_page_is_up_to_date():
    told = "python tests/variables_reference.py writes it anew"
    assert variables_reference.PAGE.read_text() == variables_reference.page(), told
    assert sorted(variables_reference.ROLES) == ROLES
