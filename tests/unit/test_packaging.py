# SPDX-FileCopyrightText: 2026 The selfhosting.lago authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""The collection as users get it: built, installed somewhere, used from there."""

import importlib
import inspect
import json
import os
import re
import subprocess
import sys
import tarfile
import tomllib
from pathlib import Path

import pytest
from ansible_collections.selfhosting.lago.plugins.filter import filters
from ansible_collections.selfhosting.lago.plugins.test import tests

REPOSITORY = Path(__file__).resolve().parents[2]
ROLES = sorted(path.name for path in (REPOSITORY / "roles").iterdir())
MODULES = sorted(path.stem for path in (REPOSITORY / "plugins" / "modules").glob("[a-z]*.py"))

FILTERS = filters.FilterModule().filters()
TESTS = tests.TestModule().tests()


def ansible(program, *arguments, cwd, collections):
    command = [Path(sys.executable).with_name(program), *arguments]
    environment = {**os.environ, "ANSIBLE_COLLECTIONS_PATH": str(collections)}
    # conftest.py has set it to the clone's, which a user of the installed collection does not have.
    environment.pop("ANSIBLE_CONFIG", None)
    done = subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def archive(tmp_path_factory):
    directory = tmp_path_factory.mktemp("build")
    ansible(
        "ansible-galaxy", "collection", "build", f"--output-path={directory}", cwd=REPOSITORY, collections=directory
    )
    (built,) = directory.glob("selfhosting-lago-*.tar.gz")
    return built


@pytest.fixture(scope="module")
def collections(archive, tmp_path_factory):
    directory = tmp_path_factory.mktemp("installed")
    ansible(
        "ansible-galaxy", "collection", "install", "--offline", f"--collections-path={directory}", str(archive),
        cwd=directory, collections=directory,
    )  # fmt: skip
    return directory


@pytest.fixture(scope="module")
def installed(collections):
    return collections / "ansible_collections" / "selfhosting" / "lago"


def test_archive_holds_the_product_only(archive):
    with tarfile.open(archive) as opened:
        names = {name.split("/")[0] for name in opened.getnames()}
    needed = {
        "CHANGELOG.md",
        "LICENSE",
        "README.md",
        "meta",
        "playbooks",
        "plugins",
        "roles",
        "setup.yml",
        "versions.yml",
    }
    allowed = {"FILES.json", "LICENSES", "MANIFEST.json", "docs", "galaxy.yml", "group_vars"}
    assert needed <= names
    assert names <= needed | allowed


def test_archive_holds_nothing_that_git_ignores(archive):
    with tarfile.open(archive) as opened:
        names = opened.getnames()
    # Bytecode of a clone in use would carry the paths of the machine it was built on.
    assert not [name for name in names if "__pycache__" in name or name.endswith(".pyc")]


def test_links_lead_to_files_of_the_collection(installed):
    links = [path for path in installed.rglob("*") if path.is_symlink()]
    assert links
    assert not [link for link in links if not link.exists() or installed not in link.resolve().parents]


def test_roles_are_installed(installed):
    assert sorted(path.name for path in (installed / "roles").iterdir()) == ROLES


def test_all_roles_are_documented(collections):
    arguments = ["--type=role", "--list", "--json", "selfhosting.lago"]
    listed = json.loads(ansible("ansible-doc", *arguments, cwd=collections, collections=collections))
    assert sorted(listed) == [f"selfhosting.lago.{role}" for role in ROLES]


def test_all_modules_are_documented(collections):
    names = [f"selfhosting.lago.{module}" for module in MODULES]
    shown = json.loads(ansible("ansible-doc", "--json", *names, cwd=collections, collections=collections))
    assert sorted(shown) == names
    # The text trips over what JSON takes, such as a colon that makes a mapping of a sentence.
    ansible("ansible-doc", *names, cwd=collections, collections=collections)


@pytest.mark.parametrize(("kind", "functions"), [("filter", FILTERS), ("test", TESTS)])
def test_all_filters_and_tests_are_documented(collections, installed, kind, functions):
    names = [f"selfhosting.lago.{name}" for name in sorted(functions)]
    arguments = [f"--type={kind}", "--json", *names]
    shown = json.loads(ansible("ansible-doc", *arguments, cwd=collections, collections=collections))
    assert sorted(shown) == names
    ansible("ansible-doc", f"--type={kind}", *names, cwd=collections, collections=collections)
    assert {path.stem for path in (installed / "plugins" / kind).glob("*.yml")} == set(functions)
    for name, function in functions.items():
        documented = shown[f"selfhosting.lago.{name}"]
        _input, *parameters = inspect.signature(function).parameters.values()
        options = documented["doc"]["options"]
        positional = documented["doc"].get("positional", "").replace(",", "").split()
        assert positional == [parameter.name for parameter in parameters]
        assert options.keys() == {"_input", *positional}
        for parameter in parameters:
            without = parameter.default is inspect.Parameter.empty
            assert options[parameter.name].get("required", False) == without
            assert without or options[parameter.name]["default"] == parameter.default
        assert f"selfhosting.lago.{name}" in documented["examples"]
        assert "_value" in documented["return"]


def test_playbooks_of_the_installed_collection_parse(collections, installed):
    for playbook in (installed / "playbooks").glob("*.yml"):
        name = f"selfhosting.lago.{playbook.stem}"
        ansible("ansible-playbook", "--syntax-check", name, cwd=collections, collections=collections)


def test_root_playbook_of_the_clone_parses():
    ansible("ansible-playbook", "--syntax-check", "setup.yml", cwd=REPOSITORY, collections=REPOSITORY / "collections")


@pytest.mark.parametrize("module", MODULES)
def test_plugins_are_importable_from_the_clone(module):
    imported = importlib.import_module(f"ansible_collections.selfhosting.lago.plugins.modules.{module}")
    assert Path(imported.__file__).resolve() == REPOSITORY / "plugins" / "modules" / f"{module}.py"


def normal(name):
    return re.sub(r"[-_.]+", "-", name).lower()


@pytest.mark.parametrize("lock", ["requirements.lock", "requirements-dev.lock"])
def test_lock_holds_what_the_project_asks_for(lock):
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())
    asked = project["project"]["dependencies"]
    if "dev" in lock:
        asked = asked + project["dependency-groups"]["dev"]
    text = (REPOSITORY / lock).read_text()
    locked = {normal(name) for name in re.findall(r"^([A-Za-z0-9._-]+)==", text, re.MULTILINE)}
    assert {normal(re.match(r"[A-Za-z0-9._-]+", entry).group()) for entry in asked} <= locked


@pytest.mark.parametrize("lock", ["requirements.lock", "requirements-dev.lock"])
def test_lock_names_no_index(lock):
    text = (REPOSITORY / lock).read_text()
    assert not re.search(r"https?://|^\s*(--|-i |-f )(?!hash)", text, re.MULTILINE)


def test_development_lock_extends_the_other_one():
    """bin/setup takes an environment made from the development lock for both."""

    def versions(lock):
        return set(re.findall(r"^(\S+==\S+)", (REPOSITORY / lock).read_text(), re.MULTILINE))

    assert versions("requirements.lock") <= versions("requirements-dev.lock")
