# SPDX-FileCopyrightText: 2026 The selfhosting.lago authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Makes `ansible_collections.selfhosting.lago` importable, from this clone and with Ansible's own loader."""

import os
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]

# Before anything imports Ansible, which reads it once.
os.environ["ANSIBLE_CONFIG"] = str(REPOSITORY / "ansible.cfg")

from ansible.plugins.loader import init_plugin_loader  # noqa: E402

init_plugin_loader([str(REPOSITORY / "collections")])


def pytest_addoption(parser):
    parser.addoption("--update-golden", action="store_true", help="write tests/unit/golden anew instead of comparing")


def pytest_configure(config):
    config.addinivalue_line("markers", "docker: needs a Docker engine")
