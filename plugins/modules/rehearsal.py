#!/usr/bin/python
# SPDX-FileCopyrightText: 2026 The selfhosting.lago authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Documentation only: the work is done by the action of this name, on the controller."""

from __future__ import annotations

DOCUMENTATION = r"""
module: rehearsal
short_description: The way of an upgrade of Lago, for the program that rehearses it
description:
  - Finds the releases at which an upgrade stops, and for each its image, its migration and its tasks. Changes nothing.
options:
  server:
    description: What M(selfhosting.lago.server_probe) returned.
    type: dict
    required: true
  version:
    description: Where it goes; by default where C(just upgrade) would go.
    type: str
    default: ""
author: The selfhosting.lago authors
"""

EXAMPLES = r"""
- name: Find the way
  selfhosting.lago.rehearsal:
    server: "{{ selfhosting_server }}"
    version: v1.53.0
"""

RETURN = r"""
hops:
  description: Releases on the way, each with C(version), C(image), C(command) and C(tasks).
  returned: always
  type: list
  elements: dict
images:
  description: Their images, for M(selfhosting.lago.server_images).
  returned: always
  type: list
  elements: dict
"""
