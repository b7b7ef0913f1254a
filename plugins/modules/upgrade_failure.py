#!/usr/bin/python
# SPDX-FileCopyrightText: 2026 The selfhosting.lago authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Documentation only: the work is done by the action of this name, on the controller."""

from __future__ import annotations

DOCUMENTATION = r"""
module: upgrade_failure
short_description: Say how things are after a release of Lago did not come up
description:
  - Always fails, with what happened, which release serves, what was left behind, and what to type.
options:
  version:
    description: The release that did not come up.
    type: str
    required: true
  present:
    description: The release before.
    type: str
    required: true
  failure:
    description: The result of the task that failed.
    type: dict
    required: true
  record:
    description: The record of the upgrade, C(from) and C(backup) of it.
    type: dict
    required: true
author: The selfhosting.lago authors
"""

EXAMPLES = r"""
- name: Say how things are
  selfhosting.lago.upgrade_failure:
    version: v1.52.1
    present: v1.51.0
    failure: "{{ ansible_failed_result }}"
    record: {from: v1.51.0, backup: {}}
"""

RETURN = r"""
msg:
  description: What the user reads.
  returned: always
  type: str
"""
