# SPDX-FileCopyrightText: 2026 The selfhosting.lago authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Makes a project for each test, and the program's modules importable as they import each other on a server."""

import copy
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
ROLES = Path(__file__).resolve().parents[3] / "roles"
for role in ("backup", "adopt"):
    sys.path.append(str(ROLES / role / "files" / "program"))

from compose_projects import containers_of, project_of  # noqa: E402


@pytest.fixture
def project():
    """project(environment, **further)"""
    return lambda environment=None, **further: copy.deepcopy(project_of(containers_of(environment), **further))
