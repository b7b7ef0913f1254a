# SPDX-FileCopyrightText: 2026 The selfhosting.lago authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""bin/update and bin/changes in a clone of a small repository: what a user is shown after just update."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
OLD = {
    "versions.yml": "mash_playbook_versions: {lago: v1.52.1, valkey: 9.1.1, old: 1}\n",
    "roles/a/defaults/main.yml": "a_text: old\na_list: []\na_gone: 1\na_same: x\n",
    "roles/a/meta/argument_specs.yml": """
argument_specs:
  main:
    options:
      a_text: {type: str}
      a_family: {type: int, default: 30}
      a_computed: {type: str}
""",
}
NEW = {
    "versions.yml": "mash_playbook_versions: {lago: v1.53.0, valkey: 9.1.1}\n",
    "roles/a/defaults/main.yml": f'a_text: "{{{{ {"long " * 40}}}}}"\na_list: [x]\na_same: x\na_new: ""\n',
    "roles/a/meta/argument_specs.yml": OLD["roles/a/meta/argument_specs.yml"].replace("30", "45"),
}
EXPECTED = [
    "Versions:",
    "  lago: v1.52.1 -> v1.53.0",
    "  old: gone, was 1",
    "Defaults of variables:",
    "  a_family: 30 -> 45",
    "  a_gone: gone, was 1",
    '  a_list: [] -> ["x"]',
    '  a_new: new, ""',
    f"  a_text: old -> {('{{ ' + 'long ' * 40)[:100]}...",
]


def git(directory, *words):
    name = ["-c", "user.name=a", "-c", "user.email=a@example.com"]
    return subprocess.run(["git", *name, *words], cwd=directory, check=True, capture_output=True, text=True).stdout


def commit(directory, files):
    for name, text in files.items():
        path = directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    git(directory, "add", ".")
    git(directory, "commit", "--quiet", "--message", "x")


@pytest.fixture
def upstream(tmp_path):
    directory = tmp_path / "upstream"
    directory.mkdir()
    git(directory, "init", "--quiet", "--initial-branch=main")
    (directory / "bin").mkdir()
    for name in ("update", "changes"):
        shutil.copy(REPOSITORY / "bin" / name, directory / "bin")
    shutil.copy(REPOSITORY / "justfile", directory)
    (directory / "bin" / "setup").write_text("#!/bin/sh\necho setup ran\n")
    (directory / "bin" / "setup").chmod(0o755)
    commit(directory, {**OLD, ".gitignore": ".venv\n"})
    return directory


@pytest.fixture
def clone(tmp_path, upstream):
    directory = tmp_path / "clone"
    git(tmp_path, "clone", "--quiet", upstream, directory)
    # The whole environment: a link to its program alone is a Python without its packages.
    (directory / ".venv").symlink_to(sys.prefix)
    return directory


def just(clone, *arguments):
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    return subprocess.run(["just", *arguments], cwd=clone, env=environment, capture_output=True, text=True)


@pytest.mark.parametrize("arguments", [[], ["-u"]])
def test_update_shows_what_changes(upstream, clone, arguments):
    commit(upstream, NEW)
    (clone / "justfile").write_text((clone / "justfile").read_text() + "# of the user\n")
    done = just(clone, "update", *arguments)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[lines.index("setup ran") + 1 : -1] == EXPECTED
    assert lines[-1].startswith("Nothing on a server has changed yet")
    assert git(clone, "rev-parse", "HEAD") == git(upstream, "rev-parse", "HEAD")
    assert (clone / "justfile").read_text().endswith("# of the user\n")


def test_update_of_the_newest_version(clone):
    done = just(clone, "update")
    assert done.returncode == 0, done.stderr
    assert done.stdout.endswith("setup ran\nThis was the newest version already.\n")


def test_changes_since_a_commit(upstream):
    commit(upstream, NEW)
    assert just(upstream, "changes", "HEAD~1").stdout.splitlines() == EXPECTED
    assert just(upstream, "changes", "HEAD", "HEAD").stdout.splitlines() == [
        "Versions: nothing changed",
        "Defaults of variables: nothing changed",
    ]


def test_an_unknown_commit(clone):
    done = just(clone, "changes", "nothing")
    assert done.returncode != 0
    assert "nothing" in done.stderr
    assert "Traceback" not in done.stderr


def test_this_repository_can_be_compared():
    """Every commit's files are read as they are; the oldest has none of them."""
    if git(REPOSITORY, "rev-parse", "--is-shallow-repository").strip() == "true":
        pytest.skip("the clone has no history")
    oldest = git(REPOSITORY, "rev-list", "--max-parents=0", "HEAD").split()[0]
    command = [sys.executable, REPOSITORY / "bin" / "changes", oldest]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "  lago_hostname: new, " in done.stdout
