#!/usr/bin/python
# SPDX-FileCopyrightText: 2026 The selfhosting.lago authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Documentation only: the work is done by the action of this name, on the controller."""

from __future__ import annotations

DOCUMENTATION = r"""
module: adopt_move
short_description: Move what a compose project holds into the services of here
description:
  - Writes a program to the server, starts it as a unit of its own and shows what it says. A connection that breaks does
    not end it.
  - The project is stopped for good and its data stays; where moving fails it is started again as it was.
options:
  path:
    description: Directory for the program and its dump.
    type: path
    required: true
  record_path:
    description: File in which it notes how far it came.
    type: path
    required: true
  server:
    description: What M(selfhosting.lago.server_probe) returned.
    type: dict
    required: true
author: The selfhosting.lago authors
"""

EXAMPLES = r"""
- name: Move
  selfhosting.lago.adopt_move:
    path: /mash/selfhosting-lago/adopt
    record_path: /mash/selfhosting-lago/records/mash-lago-adopted.json
    server: "{{ selfhosting_server }}"
"""

RETURN = r"""
{}
"""
