#!/usr/bin/python
# SPDX-FileCopyrightText: 2026 The selfhosting.lago authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Documentation only: the work is done by the action of this name, on the controller."""

from __future__ import annotations

DOCUMENTATION = r"""
module: services
short_description: Start, restart or stop the containers of several products with one systemctl call
description:
  - Resolves the products' data on the controller to know their units and groups.
  - C(start) starts what is down and restarts what differs from what is installed; when the probe saw that nothing is to
    be done and no earlier task changed the server, it costs no remote execution. C(restart) restarts always.
  - C(stop) warns of what goes on running and needs what is stopped.
options:
  products:
    description: Names of the roles whose C(product.yml) are read.
    type: list
    elements: str
    required: true
  server:
    description: What M(selfhosting.lago.server_probe) returned.
    type: dict
    required: true
  server_changed:
    description: Whether an earlier task changed the server since that probe.
    type: bool
    default: false
  operation:
    description: What to do.
    type: str
    choices: [start, restart, stop]
    required: true
  group:
    description: Only the units of this group; all where it is not given.
    type: str
author: The selfhosting.lago authors
"""

EXAMPLES = r"""
- name: Stop everything of Lago
  selfhosting.lago.services:
    products: [lago]
    server: "{{ selfhosting_server }}"
    operation: stop
    group: lago
"""

RETURN = r"""
changes:
  description: C(units), each with its action and reasons.
  returned: always
  type: dict
"""
