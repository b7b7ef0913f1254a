# SPDX-FileCopyrightText: 2026 The selfhosting.lago authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""End a run that has changed a server: lease, log, old images."""

from __future__ import annotations

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase
from ansible.utils.display import Display
from ansible_collections.selfhosting.lago.plugins.plugin_utils.lease import terms

display = Display()


class ActionModule(ActionBase):
    def run(self, tmp=None, task_vars=None):
        result = super().run(tmp, task_vars)
        _valid, arguments = self.validate_argument_spec(
            argument_spec={
                "server": {"type": "dict", "required": True},
                "versions": {"type": "dict", "default": {}},
                "outcome": {"type": "str", "choices": ["done", "failed"], "default": "done"},
            }
        )
        host = task_vars["inventory_hostname"]
        answer = self._execute_module(
            module_name="selfhosting.lago.server_run_end",
            module_args={
                "lease": terms(host, arguments["server"]),
                "versions": arguments["versions"],
                "outcome": arguments["outcome"],
            },
            task_vars=task_vars,
        )
        if answer.get("failed"):
            raise AnsibleActionFail(answer.get("msg") or "the run could not be ended", result=answer)
        for reference in answer["images"]:
            display.display(f"{host}: removed {reference}, older than the last two versions")
        # What was changed, the tasks before have said.
        return {**result, "changed": False, "images": answer["images"]}
