#!/usr/bin/python
# SPDX-FileCopyrightText: 2026 The selfhosting.lago authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Documentation only: the work is done by the action of this name, on the controller."""

from __future__ import annotations

DOCUMENTATION = r"""
module: takeover
short_description: Stop where what another playbook left on the server cannot simply be taken over
description:
  - Fails before anything is changed where services that this project does not carry use what would be taken over, with
    both ways to go on as lines for C(vars.yml), and where the data of Postgres cannot move to the image in use.
options:
  products:
    description: Names of the roles with a C(product.yml).
    type: list
    elements: str
    required: true
  server:
    description: What M(selfhosting.lago.server_probe) returned.
    type: dict
    required: true
  neighbours:
    description: The inventory hosts that are this server; what they own is no stranger.
    type: list
    elements: str
    default: []
author: The selfhosting.lago authors
"""

EXAMPLES = r"""
- name: Look at what another playbook left
  selfhosting.lago.takeover:
    products: [traefik, postgres, valkey, lago]
    server: "{{ selfhosting_server }}"
"""

RETURN = r"""
problems:
  description: What keeps the run from going on; empty where it succeeds.
  returned: always
  type: list
"""
