#!/usr/bin/python
# SPDX-FileCopyrightText: 2026 The selfhosting.lago authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Documentation only: the work is done by the action of this name, on the controller."""

from __future__ import annotations

DOCUMENTATION = r"""
module: product_files
short_description: Write some of a product's files and nothing else
description:
  - For what is switched for a while. Nothing is restarted.
options:
  name:
    description: Name of the role whose C(product.yml) is read.
    type: str
    required: true
  paths:
    description: Where the files are.
    type: list
    elements: str
    required: true
  server:
    description: What M(selfhosting.lago.server_probe) returned.
    type: dict
    required: true
author: The selfhosting.lago authors
"""

EXAMPLES = r"""
- name: Close the API
  selfhosting.lago.product_files:
    name: lago
    paths: [/mash/traefik/config/dynamic/mash-lago.yml]
    server: "{{ selfhosting_server }}"
  vars:
    lago_ingest_closed: true
"""

RETURN = r"""
files:
  description: Those that differed and were written.
  returned: always
  type: list
"""
