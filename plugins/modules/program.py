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
  - In check mode nothing is started, but a program that is asked what it would do (C(confirmed_by)).
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
  exclusive:
    description: >-
      Whether no other run may change the server meanwhile. The run then holds the server's lease until its end.
    type: bool
    default: false
  request:
    description: What the program is asked for; it reads that as JSON from C(request_path).
    type: dict
  request_path:
    description: File on the server for the request.
    type: path
  removes:
    description: What it takes away, which is not planned beforehand; the host's name has to be given all the same.
    type: str
  confirmed_by:
    description: >-
      A question. The program first runs with C(plan=true) added to its request, to say what it would do; then the
      host's name has to be given as an answer.
    type: str
  confirm:
    description: The answer, given beforehand (C(-e confirm=HOST)).
    type: str
author: The selfhosting.lago authors
"""

EXAMPLES = r"""
- name: Back up
  selfhosting.lago.program:
    product: backup
    program: mash-backup
    server: "{{ selfhosting_server }}"

# To be used from other tasks and actions as well. What the request may hold says
# roles/backup/files/program/restore.py.
- name: Restore a backup
  selfhosting.lago.program:
    product: backup
    program: "{{ backup_identifier }}-restore"
    server: "{{ selfhosting_server }}"
    request: {backup: 3f2a91c0, parts: [postgres, valkey, storage], start: false}
    request_path: "{{ backup_data_path }}/request.json"
"""

RETURN = r"""
lines:
  description: What it said, without the lines about its progress.
  returned: always
  type: list
  elements: str
"""
