# SPDX-FileCopyrightText: 2026 The selfhosting.lago authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""What a vars.yml of MASH meets here: defaults that are the same or told, and a preflight that takes it."""

import ast
import functools
import re
from pathlib import Path

import pytest
import yaml
from ansible_collections.selfhosting.lago.plugins.action import preflight
from ansible_collections.selfhosting.lago.plugins.plugin_utils.known_variables import WITHOUT_EFFECT
from ansible_collections.selfhosting.lago.plugins.plugin_utils.specification import options_of
from unit.test_variables import REFERENCE, ROLES, read
from virtual_host import PRODUCTS, REPOSITORY, VirtualHost

HERE = Path(__file__).parent
PAGE = REPOSITORY / "docs" / "coming-from-mash.md"
MASH = yaml.safe_load((HERE / "mash-defaults.yml").read_text())
EXAMPLES = sorted((HERE / "mash-examples").glob("*.yml"))
# How the lists of MASH's names write values that are no Python.
WORDS = {"empty string": "", "empty list": [], "empty dict": {}}
COMPUTED = ("computed", "list")
SETTINGS = {
    "mash_playbook_generic_secret_key": "x",
    "mash_playbook_reverse_proxy_type": "playbook-managed-traefik",
    "postgres_enabled": True,
    "valkey_enabled": True,
    "lago_enabled": True,
    "lago_hostname": "lago.example.com",
}


@functools.cache
def products():
    host = VirtualHost("bare.example.com", change=SETTINGS)
    return {name: host.product(name) for name in ("base", *PRODUCTS)}


def here(name):
    """What a variable is where the user sets only what has to be set."""
    role = next(role for role in ("base", *PRODUCTS) if name in options_of(role))
    return products()[role].variable(name)


def written(value):
    return str(value).lower() if isinstance(value, bool) else str(value)


def table():
    """Name to MASH's value and ours, as the page says."""
    rows = re.findall(r"^\| `(\w+)` \| `(.*?)` \| `(.*?)` \| (.+) \|$", PAGE.read_text(), re.MULTILINE)
    assert all(reason.endswith(".") for *_row, reason in rows)
    return {name: (mash, ours) for name, mash, ours, _reason in rows}


@pytest.mark.parametrize("name", MASH)
def test_a_default_is_mashs_or_in_the_table(name):
    mash, ours = written(MASH[name]), written(here(name))
    assert table().get(name) == ((mash, ours) if mash != ours else None)


def test_the_table_says_nothing_else():
    assert table().keys() <= MASH.keys()
    assert len(table()) >= 6


@pytest.mark.skipif(not REFERENCE.exists(), reason="MASH's names are not at hand")
def test_the_plain_defaults_of_the_lists():
    """Those that MASH's wiring replaces are in mash-defaults.yml with what it sets."""
    found = 0
    for file in ("lago-variables.tsv", "valkey-variables.tsv"):
        for line in (REFERENCE / file).read_text().splitlines():
            name, _tab, value = line.partition("\t")
            if name.startswith("#") or name == "name" or value in COMPUTED or name in MASH:
                continue
            mash = WORDS[value] if value in WORDS else ast.literal_eval(value)
            # Empty in a role of MASH is what the playbook fills in, with formulas that are ours, too.
            assert mash in ("", []) or written(mash) == written(here(name)), name
            found += 1
    assert found > 100


def test_names_without_effect_are_told():
    dead = {
        name
        for role in ROLES
        for name, option in options_of(role).items()
        if option["description"].startswith(WITHOUT_EFFECT) and name.startswith(("lago_", "valkey_"))
    }
    assert len(dead) == 3
    assert all(f"`{name}`" in PAGE.read_text() for name in dead)


def told(path):
    """Problems, and what the user is told besides."""
    host = VirtualHost("bare.example.com", change={**read(path), "mash_playbook_dns_check_enabled": False})
    result = host.action(preflight, {"products": list(PRODUCTS), "server": host.server}).run(None, host.variables)
    return result["problems"], result["hints"]


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_a_vars_yml_of_mash_passes_the_preflight(path):
    problems, _hints = told(path)
    assert problems == []


def test_there_are_examples():
    assert len(EXAMPLES) >= 3


def test_what_is_not_carried_is_one_line_each():
    _problems, hints = told(HERE / "mash-examples" / "many-services.yml")
    lines = [line for line in hints if "no effect" in line]
    assert len(lines) == len({line.partition(": no effect")[2] for line in lines}) >= 3
    assert any("backup_borg_enabled" in line for line in lines)
    assert any("valkey_arch: no effect. " in line for line in lines)
    assert not any("nextcloud" in line for line in hints)
