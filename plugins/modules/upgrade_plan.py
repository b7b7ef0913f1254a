#!/usr/bin/python
# SPDX-FileCopyrightText: 2026 The selfhosting.lago authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Documentation only: the work is done by the action of this name, on the controller."""

from __future__ import annotations

DOCUMENTATION = r"""
module: upgrade_plan
short_description: See which Lago really runs and plan the way to another release
description:
  - Reads images and schema on the server, and prints each release on the way with its reasons, its migration and its
    tasks. Fails where there is no way, or where something has to be set first. Changes nothing.
  - Asks for the host's name, unless O(confirm) says it, O(print_only) is set, or there is nothing to do.
options:
  server:
    description: What M(selfhosting.lago.server_probe) returned.
    type: dict
    required: true
  version:
    description: The release to go to. Empty means that of C(lago_version) where it is newer, else the pinned one.
    type: str
    default: ""
  options:
    description: C(without_backup), C(closed) (whether the API is closed meanwhile) and C(seconds) (limit of a task).
    type: dict
    required: true
  confirm:
    description: Names of hosts, separated by commas.
    type: str
  print_only:
    description: Whether this is all.
    type: bool
    default: false
author: The selfhosting.lago authors
"""

EXAMPLES = r"""
- name: Print the way to v1.52.1
  selfhosting.lago.upgrade_plan:
    server: "{{ selfhosting_server }}"
    version: v1.52.1
    options: {without_backup: false, closed: false, seconds: 3600}
    print_only: true
"""

RETURN = r"""
lease:
  description: Who this run is, for the modules that carry it out.
  returned: always
  type: dict
hops:
  description: Each release on the way, with C(version), C(why), C(tasks), C(by_hand) and C(begun).
  returned: always
  type: list
to:
  description: The release at the end of it.
  returned: always
  type: str
record:
  description: What is noted on the server when it begins.
  returned: always
  type: dict
"""
