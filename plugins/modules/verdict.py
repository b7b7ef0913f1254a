#!/usr/bin/python
# SPDX-FileCopyrightText: 2026 The selfhosting.lago authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Documentation only: the work is done by the action of this name, on the controller."""

from __future__ import annotations

DOCUMENTATION = r"""
module: verdict
short_description: Tell together what the preflight found on all hosts
description:
  - Prints what M(selfhosting.lago.preflight) found on each host, between hosts of one server too. Warnings
    first, once; then all problems as one failure, which ends the run on all hosts. For a task with C(run_once).
options:
  hosts:
    description: Hosts of the run; each has the registered variable C(selfhosting_preflight).
    type: list
    elements: str
    required: true
  say_so:
    description: Whether to say that nothing was found.
    type: bool
    default: false
author: The selfhosting.lago authors
"""

EXAMPLES = r"""
- name: Say together what is wrong on which host
  selfhosting.lago.verdict:
    hosts: "{{ ansible_play_hosts }}"
  run_once: true
"""

RETURN = r"""
problems:
  description: Host to texts.
  returned: always
  type: dict
hints:
  description: Host to texts of warnings.
  returned: always
  type: dict
"""
