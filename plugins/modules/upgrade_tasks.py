#!/usr/bin/python
# SPDX-FileCopyrightText: 2026 The selfhosting.lago authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Documentation only: the work is done by the action of this name, on the controller."""

from __future__ import annotations

DOCUMENTATION = r"""
module: upgrade_tasks
short_description: Run what a release of Lago needs once it is there, and wait for its jobs
description:
  - Each task runs in a worker of that release, with a limit, as a unit of the server that goes on when the connection
    breaks and is followed by the next run.
options:
  container:
    description: Name of the worker's container.
    type: str
    required: true
  tasks:
    description: Each with C(name), C(environment), and C(endless) where it never ends by itself.
    type: list
    elements: dict
    required: true
  waiting:
    description: Command inside the container that prints which jobs are left.
    type: list
    elements: str
    required: true
  seconds:
    description: How long one task, and the wait for all jobs, may take.
    type: int
    required: true
  server:
    description: What M(selfhosting.lago.server_probe) returned.
    type: dict
    required: true
author: The selfhosting.lago authors
"""

EXAMPLES = r"""
- name: Do what v1.52 needs
  selfhosting.lago.upgrade_tasks:
    container: mash-lago-api-worker
    tasks: [{name: "upgrade:perform_required_jobs", environment: {}, endless: false}]
    waiting: "{{ lago_worker_waiting_command + lago_upgrade_queues }}"
    seconds: 3600
    server: "{{ selfhosting_server }}"
"""

RETURN = r"""
changed:
  description: Always true.
  returned: always
  type: bool
"""
