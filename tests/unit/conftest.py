# SPDX-FileCopyrightText: 2026 The selfhosting.lago authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Makes `ansible_collections.selfhosting.lago` importable, from this clone and with Ansible's own loader."""

import functools
import os
import shutil
import subprocess
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]

# Before anything imports Ansible, which reads it once.
os.environ["ANSIBLE_CONFIG"] = str(REPOSITORY / "ansible.cfg")

from ansible.plugins.loader import filter_loader, init_plugin_loader, test_loader  # noqa: E402

init_plugin_loader([str(REPOSITORY / "collections")])

from ansible._internal._templating._jinja_bits import AnsibleEnvironment, _TemplateCompileContext  # noqa: E402


def keep_compiled_templates():
    """Ansible compiles a template at each use; the tests make some two thousand plans of the same few hundred."""
    compiled, compile_template = {}, AnsibleEnvironment.compile

    def compile_once(self, source, *arguments, **options):
        if not isinstance(source, str) or self.overlayed:
            return compile_template(self, source, *arguments, **options)
        escape = _TemplateCompileContext.current().escape_backslashes
        key = (str(source), escape, arguments, tuple(sorted(options.items())))
        if key not in compiled:
            compiled[key] = compile_template(self, source, *arguments, **options)
        return compiled[key]

    AnsibleEnvironment.compile = compile_once


def keep_found_filters():
    """Each template of each host looks its filters and tests up anew, in files."""
    for loader in (filter_loader, test_loader):
        loader.get = functools.cache(loader.get)


keep_compiled_templates()
keep_found_filters()


SHOW_ARGUMENTS = "#!/bin/sh\nprintf '%s\\n' \"$@\" > arguments\n"


@pytest.fixture
def just(tmp_path):
    """Runs a recipe in a directory without .venv, where ansible-playbook only notes its arguments."""
    shutil.copy(REPOSITORY / "justfile", tmp_path)
    (tmp_path / "inventory").mkdir()
    (tmp_path / "inventory" / "hosts").touch()
    program = tmp_path / "path" / "ansible-playbook"
    program.parent.mkdir()
    program.write_text(SHOW_ARGUMENTS)
    program.chmod(0o755)

    def run(*arguments):
        environment = {**os.environ, "PATH": f"{program.parent}:{REPOSITORY}/.venv/bin:{os.environ['PATH']}"}
        done = subprocess.run(["just", *arguments], cwd=tmp_path, env=environment, capture_output=True, text=True)
        asked = tmp_path / "arguments"
        return done, asked.read_text().splitlines() if asked.exists() else None

    return run


def pytest_addoption(parser):
    parser.addoption("--update-golden", action="store_true", help="write tests/unit/golden anew instead of comparing")


def pytest_configure(config):
    config.addinivalue_line("markers", "docker: needs a Docker engine")
