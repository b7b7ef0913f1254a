#!/usr/bin/python
# SPDX-FileCopyrightText: 2026 The selfhosting.lago authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Documentation only: the work is done by the action of this name, on the controller."""

from __future__ import annotations

DOCUMENTATION = r"""
module: product
short_description: Bring the containers of one product to what the host's variables describe
description:
  - Resolves the product's data (C(product.yml) of the role of that name) with the host's variables on the controller,
    renders units, environment, labels and configuration, and compares them with what the probe saw.
  - An unchanged product costs no remote execution.
  - Otherwise, in this order. Stage, pull or build images, make networks, write what no running unit reads. Gate, run
    the one-shot steps of phase C(gate) with the new image. Swap, write everything else at once. Converge, start what is
    down and restart what differs. Then the steps of phase C(after).
  - In check mode it announces the same and changes nothing.
options:
  name:
    description: Name of the role whose C(product.yml) it is.
    type: str
    required: true
  server:
    description: What M(selfhosting.lago.server_probe) returned.
    type: dict
    required: true
  stored:
    description: >-
      Files that get what they had before, and not what the host's variables say. C(directory) is where that stands on
      the server, under the whole path of each; C(paths) are those that are there.
    type: dict
    default: {}
  images_only:
    description: Only pull and build the images, ahead of a later call.
    type: bool
    default: false
author: The selfhosting.lago authors
"""

EXAMPLES = r"""
- name: Bring Valkey to what vars.yml describes
  selfhosting.lago.product:
    name: valkey
    server: "{{ selfhosting_server }}"
"""

RETURN = r"""
changes:
  description: C(networks), C(images), C(directories), C(files) and C(units) (each with its action and reasons).
  returned: always
  type: dict
phase:
  description: C(stage), C(gate), C(swap), C(converge) or C(leftovers), the wait for work of units that are to go.
  returned: failed
  type: str
past_gate:
  description: Whether the new version has been put in the place of the one before.
  returned: failed
  type: bool
"""
