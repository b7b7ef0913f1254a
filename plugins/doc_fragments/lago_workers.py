# SPDX-FileCopyrightText: 2026 The selfhosting.lago authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""The options of filters on a user's list of workers."""

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  _input:
    description: C(lago_workers).
    type: list
    required: true
  kinds:
    description: C(lago_worker_kinds).
    type: dict
    required: true
"""
