#!/usr/bin/python
# SPDX-FileCopyrightText: 2026 The selfhosting.lago authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Documentation only: the work is done by the action of this name, on the controller."""

from __future__ import annotations

DOCUMENTATION = r"""
module: rollback_plan
short_description: Say to which state there is a way back from the last upgrade
description:
  - Reads the record of the last upgrade, prints what a way back would do, and asks for the host's name unless
    O(confirm) says it. Changes nothing.
options:
  server:
    description: What M(selfhosting.lago.server_probe) returned.
    type: dict
    required: true
  confirm:
    description: Names of hosts, separated by commas.
    type: str
author: The selfhosting.lago authors
"""

EXAMPLES = r"""
- name: See to which state there is a way back
  selfhosting.lago.rollback_plan:
    server: "{{ selfhosting_server }}"
"""

RETURN = r"""
lease:
  description: Who this run is, for the modules that carry it out.
  returned: always
  type: dict
record:
  description: The record of that upgrade.
  returned: always
  type: dict
units:
  description: Lago's units that are stopped meanwhile, with the references of their images.
  returned: always
  type: dict
"""
