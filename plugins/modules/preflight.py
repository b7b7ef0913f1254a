#!/usr/bin/python
# SPDX-FileCopyrightText: 2026 The selfhosting.lago authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Documentation only: the work is done by the action of this name, on the controller."""

from __future__ import annotations

DOCUMENTATION = r"""
module: preflight
short_description: Find everything that is wrong with a host's variables and server before anything is changed
description:
  - Fails never; M(selfhosting.lago.verdict) tells what was found on all hosts together.
  - Evaluates the checks (C(checks.yml)) of the role C(base) and of every enabled product. Touches nothing and makes no
    remote execution, but for one where another playbook's Lago runs, to see which keys decrypt what it has stored.
  - Compares what is set with the types of the same roles' C(meta/argument_specs.yml); Ansible's own validation at the
    start of a role would come after earlier roles have changed the server.
  - Compares values with the kinds that C(plugin_utils/kinds.yml) gives to their names, such as ports and sizes.
  - With O(takes_over), finds where what another playbook left on the server cannot simply be taken over. Either
    services that this project does not carry use it (both ways to go on are said as lines for C(vars.yml)), or the
    data of Postgres cannot move to the image in use, or what Lago has encrypted or signed needs other keys.
  - Each problem names the variable or fact, what was seen, what is allowed and what to do.
options:
  products:
    description: Names of the roles whose checks are evaluated where the product is enabled.
    type: list
    elements: str
    required: true
  server:
    description: What M(selfhosting.lago.server_probe) returned.
    type: dict
    required: true
  neighbours:
    description: The inventory hosts that are this server; what they own is no stranger to a takeover.
    type: list
    elements: str
    default: []
  neighbour_problems:
    description: What M(selfhosting.lago.waves) found to be wrong.
    type: list
    elements: str
    default: []
  takes_over:
    description: Whether the run replaces what another playbook left under the same names.
    type: bool
    default: false
author: The selfhosting.lago authors
"""

EXAMPLES = r"""
- name: Check all values
  selfhosting.lago.preflight:
    products: [postgres, lago]
    server: "{{ selfhosting_server }}"
"""

RETURN = r"""
problems:
  description: One text each.
  returned: always
  type: list
hints:
  description: Warnings, one text each.
  returned: always
  type: list
"""
