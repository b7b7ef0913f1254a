# SPDX-FileCopyrightText: 2026 The selfhosting.lago authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""The server itself, before anything of the product is looked at."""


def test_everything_on_the_server_runs(host):
    assert host.check_output("systemctl is-system-running || true") == "running"
