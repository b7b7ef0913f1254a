#!/usr/bin/python
# SPDX-FileCopyrightText: 2026 The selfhosting.lago authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Documentation only: the work is done by the action of this name, on the controller."""

from __future__ import annotations

DOCUMENTATION = r"""
module: program
short_description: Run a program of a product to its end, and show what it says
description:
  - Starts the unit of an entry in the product's C(programs). How far it is, it says at a terminal only.
  - In check mode nothing is started.
options:
  product:
    description: Name of the role whose C(product.yml) is read.
    type: str
    required: true
  program:
    description: Name of the program's unit, without a suffix.
    type: str
    required: true
  server:
    description: What M(selfhosting.lago.server_probe) returned.
    type: dict
    required: true
  changes:
    description: Whether it changes anything.
    type: bool
    default: true
author: The selfhosting.lago authors
"""

EXAMPLES = r"""
- name: Back up
  selfhosting.lago.program:
    product: backup
    program: mash-backup
    server: "{{ selfhosting_server }}"
"""

RETURN = r"""
lines:
  description: What it said, without the lines about its progress.
  returned: always
  type: list
  elements: str
"""
