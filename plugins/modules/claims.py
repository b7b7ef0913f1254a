#!/usr/bin/python
# SPDX-FileCopyrightText: 2026 The selfhosting.lago authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Documentation only: the work is done by the action of this name, on the controller."""

from __future__ import annotations

DOCUMENTATION = r"""
module: claims
short_description: Say what a host owns on its server
description:
  - Resolves the data of all enabled products and sets the fact C(selfhosting_claims), which M(selfhosting.lago.waves)
    compares between inventory hosts that are one server. Makes no remote execution.
options:
  products:
    description: Names of the roles with a C(product.yml).
    type: list
    elements: str
    required: true
author: The selfhosting.lago authors
"""

EXAMPLES = r"""
- name: Say what this host owns
  selfhosting.lago.claims:
    products: [valkey, lago]
"""

RETURN = r"""
ansible_facts:
  description: >-
    C(selfhosting_claims) with C(products), C(units), C(networks), C(paths), C(ports), C(uses), C(containers) (each with
    its networks), C(connections) (names that its containers connect to), C(named_networks) (network to the variable
    that names it) and C(docker).
  returned: always
  type: dict
"""
