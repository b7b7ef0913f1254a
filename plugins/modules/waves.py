#!/usr/bin/python
# SPDX-FileCopyrightText: 2026 The selfhosting.lago authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Documentation only: the work is done by the action of this name, on the controller."""

from __future__ import annotations

DOCUMENTATION = r"""
module: waves
short_description: Put inventory hosts that are one server into an order and find what is wrong between them
description:
  - A host whose units or networks others use goes before them, and no two go at the same time. When services are
    stopped, who uses others goes first.
  - Finds what is wrong between them, for M(selfhosting.lago.preflight) to report. Two of them would own the same unit,
    network, path or port, or two a Traefik; a network that nobody makes; a host name without a dot that no container
    has. Hosts that are not part of the run are known from what they recorded on the server.
options:
  hosts:
    description: The inventory hosts that are this server, this one among them; each has run M(selfhosting.lago.claims).
    type: list
    elements: str
    required: true
  server:
    description: What M(selfhosting.lago.server_probe) returned.
    type: dict
    required: true
  verb:
    description: What the run is for. C(stop) reverses the order; only C(setup) and C(preflight) need what is missing.
    type: str
    required: true
author: The selfhosting.lago authors
"""

EXAMPLES = r"""
- name: Order the hosts of this server
  selfhosting.lago.waves:
    hosts: "{{ selfhosting_neighbours }}"
    server: "{{ selfhosting_server }}"
    verb: setup
"""

RETURN = r"""
ansible_facts:
  description: >-
    C(selfhosting_wave), from 0; C(selfhosting_earlier), the hosts that go before this one, and of these
    C(selfhosting_waits_for), without which it cannot go on; C(selfhosting_neighbour_problems), one text each;
    C(selfhosting_docker_installation) of the neighbour that installs Docker, if any.
  returned: always
  type: dict
"""
