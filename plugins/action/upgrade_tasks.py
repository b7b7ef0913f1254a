# SPDX-FileCopyrightText: 2026 The selfhosting.lago authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Run what has to be done with a release of Lago once it is there, and wait until its jobs are done."""

from __future__ import annotations

import sys
import time

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase
from ansible.utils.display import Display
from ansible_collections.selfhosting.lago.plugins.plugin_utils.following import follow
from ansible_collections.selfhosting.lago.plugins.plugin_utils.lease import terms
from ansible_collections.selfhosting.lago.plugins.plugin_utils.progress import lasting

display = Display()
# Seconds between two lines about jobs that are left.
PATIENCE = 10
# Seconds from the first signal to the last, as of systemd and Docker.
KILL_SECONDS = 30
# What `timeout` ends with. Of a task that never ends by itself the empty queue says whether it is done.
LATE = 124


class ActionModule(ActionBase):
    def run(self, tmp=None, task_vars=None):
        result = super().run(tmp, task_vars)
        _valid, arguments = self.validate_argument_spec(
            argument_spec={
                "container": {"type": "str", "required": True},
                "tasks": {"type": "list", "elements": "dict", "required": True},
                "waiting": {"type": "list", "elements": "str", "required": True},
                "seconds": {"type": "int", "required": True},
                "server": {"type": "dict", "required": True},
            }
        )
        self._host, self._variables = task_vars["inventory_hostname"], task_vars
        self._lease = terms(self._host, arguments["server"])
        container, seconds = arguments["container"], arguments["seconds"]
        began = time.monotonic()
        for number, task in enumerate(arguments["tasks"], 1):
            display.display(f"{self._host}: task {number} of {len(arguments['tasks'])}: rails {task['name']}")
            self.task(container, task, seconds)
        self.wait(container, arguments["waiting"], seconds)
        took = int(time.monotonic() - began)
        display.display(f"{self._host}: tasks and their jobs are done ({took} s)")
        return {**result, "changed": True}

    def task(self, container: str, task: dict, seconds: int) -> None:
        command = task_command(container, task, seconds)
        try:
            unit, name = f"{container}-task.service", f"rails {task['name']}"
            fine = [LATE] if task["endless"] else []
            options = {"name": name, "lease": self._lease, "command": command, "success_statuses": fine}
            follow(self, self._host, unit, self._variables, **options)
        except AnsibleActionFail as error:
            raise AnsibleActionFail(
                f"{error.message}\nThe release is installed and serves; what it still needs is not done. "
                f"Correct what is said there, and type: just upgrade -l {self._host}. It goes on with this task; "
                f"more time than {seconds} s: -e upgrade_task_seconds={seconds * 2}"
            ) from error

    def wait(self, container: str, command: list[str], seconds: int) -> None:
        """Until none of the jobs is left."""
        unit, began = f"{container}.service", time.monotonic()
        while True:
            answer = self._execute_module(
                module_name="selfhosting.lago.server_units",
                module_args={
                    "operation": "waiting",
                    "units": {},
                    "leftovers": {unit: command},
                    "patience": PATIENCE,
                    "lease": self._lease,
                },
                task_vars=self._variables,
            )
            if answer.get("failed"):
                raise AnsibleActionFail(answer.get("msg") or "server_units failed", result=answer)
            left = answer["waiting"].get(unit)
            if not left:
                return
            elapsed = time.monotonic() - began
            if elapsed > seconds:
                raise AnsibleActionFail(
                    f"{self._host}: after {seconds} s jobs are left: {left}. The next release must wait for them. "
                    f"See why in: journalctl --unit={unit}. Then type: just upgrade -l {self._host}"
                )
            if sys.stdout.isatty():
                limit = f"{lasting(elapsed)} of at most {lasting(seconds)}"
                display.display(f"{self._host}: waiting for jobs: {left}, {limit}")


def task_command(container: str, task: dict, seconds: int) -> list[str]:
    """Inside the worker, which has the same release and environment. What is late gets a signal there: the client of
    Docker alone would go, and leave it running. No word has a dollar sign, which systemd would replace.
    """
    words = [f"{name}={value}" for name, value in task["environment"].items()]
    # Ruby keeps back what it prints, unless it is told not to.
    rails = ["bundle", "exec", "ruby", "-e", "STDOUT.sync = true; load 'bin/rails'", task["name"]]
    limit = ["timeout", f"--kill-after={KILL_SECONDS}", str(seconds)]
    return ["/usr/bin/docker", "exec", container, *limit, "env", *words, *rails]
