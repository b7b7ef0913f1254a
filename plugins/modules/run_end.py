#!/usr/bin/python
# SPDX-FileCopyrightText: 2026 The selfhosting.lago authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Documentation only: the work is done by the action of this name, on the controller."""

from __future__ import annotations

DOCUMENTATION = r"""
module: run_end
short_description: End a run that has changed a server
description:
  - Gives the lease back, logs who changed what, and removes images that are too old.
options:
  server:
    description: What M(selfhosting.lago.server_probe) returned.
    type: dict
    required: true
  versions:
    description: Which versions the server has now, by service.
    type: dict
    default: {}
  outcome:
    description: How the run ended.
    type: str
    choices: [done, failed]
    default: done
author: The selfhosting.lago authors
"""

EXAMPLES = r"""
- name: End the run
  selfhosting.lago.run_end:
    server: "{{ selfhosting_server }}"
    versions: {lago: "{{ lago_version }}"}
"""

RETURN = r"""
images:
  description: References of the images that were removed.
  returned: always
  type: list
  elements: str
"""
