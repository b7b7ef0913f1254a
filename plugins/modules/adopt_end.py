#!/usr/bin/python
# SPDX-FileCopyrightText: 2026 The selfhosting.lago authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Documentation only: the work is done by the action of this name, on the controller."""

from __future__ import annotations

DOCUMENTATION = r"""
module: adopt_end
short_description: Prove what was adopted, and say what is left to do
description:
  - Decrypts all stored credentials with the keys of here, notes that the adoption is done, and prints how to go back
    and how to delete the project.
options:
  server:
    description: What M(selfhosting.lago.server_probe) returned after the move.
    type: dict
    required: true
  record_path:
    description: File in which is noted how far it came.
    type: path
    required: true
  container:
    description: Container of Lago's API.
    type: str
    required: true
  environment_path:
    description: Its environment file.
    type: path
    required: true
author: The selfhosting.lago authors
"""

EXAMPLES = r"""
- name: Prove it
  selfhosting.lago.adopt_end:
    server: "{{ selfhosting_server }}"
    record_path: /mash/selfhosting-lago/records/mash-lago-adopted.json
    container: mash-lago-api
    environment_path: /mash/lago/api/env
"""

RETURN = r"""
{}
"""
