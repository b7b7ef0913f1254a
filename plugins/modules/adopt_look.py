#!/usr/bin/python
# SPDX-FileCopyrightText: 2026 The selfhosting.lago authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Documentation only: the work is done by the action of this name, on the controller."""

from __future__ import annotations

DOCUMENTATION = r"""
module: adopt_look
short_description: See what a compose project is, and what it becomes here
description:
  - Calls M(selfhosting.lago.compose_project), makes variables of what it finds, and proves the keys with
    M(selfhosting.lago.lago_keys). The variables count until the end of the run as if they stood in C(vars.yml).
  - The answer holds secrets; the task has C(no_log).
options:
  directory:
    description: The project's directory on the server.
    type: str
    required: true
  target_path:
    description: Where the data is to go.
    type: path
    required: true
  record_path:
    description: File in which an adoption notes how far it came.
    type: path
    required: true
  unit:
    description: Unit of the Lago that this collection runs.
    type: str
    required: true
  variables_path:
    description: File on this machine for the variables; what could not be read beside it is a problem.
    type: path
    required: true
  worker_kinds:
    description: Kinds of workers with their flags.
    type: dict
    required: true
author: The selfhosting.lago authors
"""

EXAMPLES = r"""
- name: Look at the compose project
  selfhosting.lago.adopt_look:
    directory: /opt/lago
    target_path: /mash
    record_path: /mash/selfhosting-lago/records/mash-lago-adopted.json
    unit: mash-lago-api.service
    variables_path: inventory/host_vars/lago.example.com/vars_adopted.yml
    worker_kinds: "{{ lago_worker_kinds }}"
  no_log: true
"""

RETURN = r"""
ansible_facts:
  description: The variables, and C(selfhosting_adopt) with the project, problems, hints and what is announced.
  returned: always
  type: dict
"""
