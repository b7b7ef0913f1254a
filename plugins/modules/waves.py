#!/usr/bin/python
# SPDX-FileCopyrightText: 2026 The selfhosting.lago authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Documentation only: the work is done by the action of this name, on the controller."""

from __future__ import annotations

DOCUMENTATION = r"""
module: waves
short_description: Put inventory hosts that are one server into an order
description:
  - A host whose units or networks others use goes before them, and no two go at the same time.
  - Fails when two hosts would own the same unit, network, path or port, naming both.
options:
  hosts:
    description: The inventory hosts that are this server, this one among them; each has run M(selfhosting.lago.claims).
    type: list
    elements: str
    required: true
author: The selfhosting.lago authors
"""

EXAMPLES = r"""
- name: Order the hosts of this server
  selfhosting.lago.waves:
    hosts: "{{ selfhosting_neighbours }}"
"""

RETURN = r"""
ansible_facts:
  description: >-
    C(selfhosting_wave), from 0; C(selfhosting_docker_installation) of the neighbour that installs Docker, if any.
  returned: always
  type: dict
"""
