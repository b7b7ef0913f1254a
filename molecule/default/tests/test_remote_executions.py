# SPDX-FileCopyrightText: 2026 The selfhosting.lago authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""A run without need looks at the server once: remote executions are its time, and can be counted on any machine."""

import os
import re
import subprocess

import pytest
from verify.plays import REPOSITORY

# From -vvv on, Ansible shows each call of ssh, scp and sftp like this.
REMOTE_EXECUTION = re.compile(r" SSH: EXEC ")
# As the recipes install-service and install-all.
SERVICE = ["--tags=install-lago,start-group", "--extra-vars=group=lago"]
ALL = ["--tags=install-all,start"]


@pytest.mark.parametrize("arguments", [SERVICE, ALL], ids=["service", "all"])
def test_an_unchanged_run_looks_once(server, arguments):
    inventory = os.environ["MOLECULE_INVENTORY_FILE"]
    command = ["ansible-playbook", "-vvv", f"--inventory={inventory}", f"--limit={server.name}", *arguments]
    done = subprocess.run([*command, "setup.yml"], cwd=REPOSITORY, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr
    assert "changed=0 " in done.stdout
    # Molecule has such lines written to standard error.
    executions = len(REMOTE_EXECUTION.findall(done.stdout + done.stderr))
    assert executions == 1
