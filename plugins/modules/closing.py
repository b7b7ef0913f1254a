#!/usr/bin/python
# SPDX-FileCopyrightText: 2026 The selfhosting.lago authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Documentation only: the work is done by the action of this name, on the controller."""

from __future__ import annotations

DOCUMENTATION = r"""
module: closing
short_description: Say at the end of a run what is left to do
description:
  - Prints, over all hosts and after everything else, what M(selfhosting.lago.product) found that a user has to know,
    such as that nobody can log in yet. For a task with C(run_once).
options:
  hosts:
    description: Hosts of the run; each may have the fact C(selfhosting_notices).
    type: list
    elements: str
    required: true
author: The selfhosting.lago authors
"""

EXAMPLES = r"""
- name: Say at the end what is left to do
  selfhosting.lago.closing:
    hosts: "{{ ansible_play_hosts }}"
  run_once: true
"""

RETURN = r"""
notices:
  description: Host to texts.
  returned: always
  type: dict
"""
