#!/usr/bin/python
# SPDX-FileCopyrightText: 2026 The selfhosting.lago authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Documentation only: the work is done by the action of this name, on the controller."""

from __future__ import annotations

DOCUMENTATION = r"""
module: removal
short_description: Remove the services of products that are switched off, or of all; their data stays
description:
  - Removes units, containers, and what nobody else needs of their networks and images. Prints before what it will
    remove, and after it where the data is that stays.
  - A product without a unit on the server was never installed there, and nothing of it is looked for.
options:
  products:
    description: Names of the roles whose C(product.yml) are read.
    type: list
    elements: str
    required: true
  server:
    description: What M(selfhosting.lago.server_probe) returned.
    type: dict
    required: true
  everything:
    description: Also what is enabled, after a confirmation.
    type: bool
    default: false
  confirm:
    description: >-
      With C(everything), the name of the host, or several separated by commas. Without it the run asks for it, and
      fails where nobody is at a terminal.
    type: str
  delete_data:
    description: >-
      With C(everything), the name of the host: its data is deleted as well. Refused without a backup that is younger
      than a day and was restored on trial.
    type: str
author: The selfhosting.lago authors
"""

EXAMPLES = r"""
- name: Remove what is switched off
  selfhosting.lago.removal:
    products: [valkey, lago]
    server: "{{ selfhosting_server }}"
"""

RETURN = r"""
changes:
  description: >-
    C(units), each with its action and reasons, and the C(networks), C(images), C(files) and C(data) that were removed.
  returned: always
  type: dict
kept:
  description: What stays, each with its name and path.
  returned: always
  type: list
  elements: str
  sample: ["invoices, logos and exports: /mash/lago/data"]
"""
