#!/usr/bin/python
# SPDX-FileCopyrightText: 2026 The selfhosting.lago authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Documentation only: the work is done by the action of this name, on the controller."""

from __future__ import annotations

DOCUMENTATION = r"""
module: adopt_consent
short_description: Print what an adoption would do, and go on where the host is named
description:
  - Without O(confirm) nothing is changed. With it the project's settings are written to a file that only its owner
    reads, beside the host's C(vars.yml).
options:
  confirm:
    description: Names of hosts, separated by commas.
    type: str
author: The selfhosting.lago authors
"""

EXAMPLES = r"""
- name: Say what an adoption would do
  selfhosting.lago.adopt_consent:
    confirm: lago.example.com
"""

RETURN = r"""
confirmed:
  description: Whether to go on.
  returned: always
  type: bool
"""
