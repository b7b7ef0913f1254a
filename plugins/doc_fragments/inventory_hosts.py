# SPDX-FileCopyrightText: 2026 The selfhosting.lago authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""The options of filters that know Ansible's variables of all hosts."""

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  _input:
    description: Names of inventory hosts.
    type: list
    required: true
  hostvars:
    description: Ansible's C(hostvars).
    type: dict
    required: true
"""
