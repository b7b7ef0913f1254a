# SPDX-FileCopyrightText: 2026 The selfhosting.lago authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""The option of modules that change a server."""

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  lease:
    description: >-
      Who the run is, and which lease of the server it saw. Without it nothing is asked about other runs.
    type: dict
    suboptions:
      id: {description: Of the run., type: str, required: true}
      serial: {description: Of the lease that the run's probe saw., type: int, required: true}
      who: {description: User and machine., type: str, required: true}
      commit: {description: Of the collection., type: str, default: ""}
      host: {description: Name in the inventory., type: str, default: ""}
"""
