# SPDX-FileCopyrightText: 2026 The selfhosting.lago authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Fixtures for the tests of all scenarios."""

from __future__ import annotations

import os

import pytest
from testbed import servers


@pytest.fixture
def server(host) -> servers.Server:
    """The test bed's view of the host under test: reboot it, cut its power, know its address."""
    name = host.backend.get_pytest_id().rpartition("://")[2]
    return servers.get(os.environ["TESTBED_RUN"], name)
