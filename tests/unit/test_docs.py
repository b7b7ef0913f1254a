# SPDX-FileCopyrightText: 2026 The selfhosting.lago authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""What the documentation tells users to write and to type does what it says.

After a change that is meant: pytest tests/unit/test_docs.py --update-golden, and look at the difference in git.
"""

import os
import re
import shutil
import subprocess

import pytest
from ansible_collections.selfhosting.lago.plugins.plugin_utils.specification import options_of
from ansible_collections.selfhosting.lago.plugins.test.tests import rsa_private_key
from unit import docs_blocks
from virtual_host import PRODUCTS, REPOSITORY

BLOCKS = {block.name: block for block in docs_blocks.all_blocks()}
SHELL = ("sh", "bash", "shell", "console")
VARIABLES = {name for name, block in BLOCKS.items() if block.language in ("yaml", "yml")}
# How a secret is made; also where a comment or a placeholder says it.
SECRET = re.compile(r"\b(?:openssl|pwgen) [^'\"`\n]*")
# `just install-all` and the like in a sentence or a table.
INLINE_JUST = re.compile(r"`just ([a-z][a-z-]*)[^`]*`")
ADVICE = "pytest tests/unit/test_docs.py --update-golden adds it; see the head of docs-blocks.yml"


@pytest.fixture(scope="module")
def rows(request):
    """The table; with --update-golden brought up to date first."""
    table = docs_blocks.table()
    known = {docs_blocks.name_of(row): row for row in table["blocks"]}
    if request.config.getoption("--update-golden"):
        known = {name: known.get(name) or new_row(block) for name, block in BLOCKS.items() if needs_row(block)}
        for name, row in known.items():
            if "reason" not in row:
                row["difference"] = docs_blocks.difference(row, BLOCKS[name].text)
        docs_blocks.write(list(known.values()), table["commands"])
    return known


def needs_row(block):
    return block.language not in SHELL


def new_row(block):
    row = {"page": block.page, "heading": block.heading}
    if block.number > 1:
        row["number"] = block.number
    return row


def test_each_block_is_in_the_table(rows):
    wanted = {name for name, block in BLOCKS.items() if needs_row(block)}
    assert wanted - rows.keys() == set(), ADVICE
    assert rows.keys() - wanted == set(), f"no such block any more; {ADVICE}"
    assert len(wanted) >= 10


@pytest.mark.parametrize("name", sorted(VARIABLES))
def test_the_difference_that_a_block_makes(name, rows):
    assert name in rows, ADVICE
    row = rows[name]
    if "reason" in row:
        assert len(row["reason"]) > 10
        return
    found = docs_blocks.difference(row, BLOCKS[name].text)
    assert found, f"{name} changes nothing"
    assert found == row["difference"], ADVICE


@pytest.mark.parametrize("name", sorted(VARIABLES))
def test_a_block_sets_variables_that_exist(name, rows):
    if "reason" not in rows.get(name, {}):
        known = {option for role in ("base", *PRODUCTS) for option in options_of(role)}
        assert docs_blocks.variables_of(BLOCKS[name].text).keys() - known == set()


def test_what_is_no_vars_yml_says_why(rows):
    assert not [name for name in rows if name not in VARIABLES and "reason" not in rows[name]]


def command_lines():
    lines = []
    for name, block in BLOCKS.items():
        if block.language in SHELL:
            text = block.text.replace("\\\n", " ")
            lines += [(name, line.split(" #")[0].strip()) for line in text.splitlines() if line.strip(" #")]
    return lines


@pytest.mark.parametrize(("name", "line"), command_lines())
def test_a_command(name, line, just, tmp_path):
    program = line.split()[0]
    if line in docs_blocks.table()["commands"]:
        return
    if program == "just":
        runs_just(just, line)
    elif program.startswith("bin/"):
        assert os.access(REPOSITORY / program, os.X_OK)
    else:
        assert SECRET.match(line), f"{line}: make it run here, or say in docs-blocks.yml why not"


def runs_just(just, line):
    words = line.split()[1:]
    done, asked = just("--dry-run", *words)
    assert done.returncode == 0, done.stderr
    assert asked is None
    if "ansible-playbook" in done.stderr:
        done, asked = just(*words)
        assert done.returncode == 0, done.stderr
        assert asked[:2] == ["--inventory", "inventory/hosts"]
        assert (REPOSITORY / asked[2]).is_file()


def test_every_recipe_that_a_sentence_names_exists(just):
    done, _asked = just("--summary", "--unsorted")
    recipes = set(done.stdout.split())
    hidden = {"roles", "optimize", "optimize-for-host", "optimize-restore", "optimize-reset", "opml", "mise", "prek"}
    named = {name for page in docs_blocks.pages() for name in INLINE_JUST.findall((REPOSITORY / page).read_text())}
    assert len(named) >= 10
    assert named - recipes - hidden - {"inventory"} == set()


def secrets():
    found = set()
    for page in docs_blocks.pages():
        found |= {line.strip() for line in SECRET.findall((REPOSITORY / page).read_text())}
    return sorted(found)


@pytest.mark.parametrize("line", secrets())
def test_a_secret_is_made_as_it_is_said(line, tmp_path):
    if not shutil.which(line.split()[0]):
        pytest.skip(f"{line.split()[0]} is not installed")
    done = subprocess.run(["sh", "-ec", line], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    secret = done.stdout.rstrip("\n")
    assert len(secret) >= 32
    assert "\n" not in secret
    if "genrsa" in line:
        assert rsa_private_key(secret)


def test_a_difference_is_seen():
    """What the table is compared with is not empty by itself."""
    row = {"base": "lago"}
    found = docs_blocks.difference(row, "valkey_maxmemory: 1gb\n")
    assert found == {"/mash/valkey/config/valkey.conf": ["+ maxmemory 1gb"]}
    assert docs_blocks.difference(row, "valkey_container_tcp_port: 6379\n") == {}
    gone = docs_blocks.difference(row, "traefik_enabled: false\n")
    assert gone["/etc/systemd/system/mash-traefik.service"] == "gone"
