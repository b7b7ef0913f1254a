#!/usr/bin/python
# SPDX-FileCopyrightText: 2026 The selfhosting.lago authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Documentation only: the work is done by the action of this name, on the controller."""

from __future__ import annotations

DOCUMENTATION = r"""
module: rollback_consent
short_description: Let go what came in since a backup only when somebody has seen how much it is
description:
  - Fails unless the API was closed, nothing was written, or the number of rows is confirmed.
options:
  found:
    description: C(rows) that were written since the backup, and how many C(events) are among them.
    type: dict
    required: true
  closed:
    description: Whether the API was closed since the backup.
    type: bool
    required: true
  confirm_rows:
    description: The most rows that may go.
    type: str
author: The selfhosting.lago authors
"""

EXAMPLES = r"""
- name: Ask whether these rows may go
  selfhosting.lago.rollback_consent:
    found: {rows: 120, events: 100}
    closed: false
    confirm_rows: "120"
"""

RETURN = r"""
changed:
  description: Always false.
  returned: always
  type: bool
"""
