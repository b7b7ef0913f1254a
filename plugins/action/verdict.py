# SPDX-FileCopyrightText: 2026 The selfhosting.lago authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Tell what the preflight found on all hosts: warnings once, then all problems as one failure."""

from __future__ import annotations

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase
from ansible.utils.display import Display
from ansible_collections.selfhosting.lago.plugins.plugin_utils.verdict import listed, refusal

display = Display()


class ActionModule(ActionBase):
    supports_check_mode = True

    def run(self, tmp=None, task_vars=None):
        result = super().run(tmp, task_vars)
        _valid, arguments = self.validate_argument_spec(
            argument_spec={
                "hosts": {"type": "list", "elements": "str", "required": True},
                "say_so": {"type": "bool", "default": False},
            }
        )
        seen = {host: task_vars["hostvars"][host] for host in arguments["hosts"]}
        problems = {host: variables["selfhosting_preflight"]["problems"] for host, variables in seen.items()}
        hints = {host: variables["selfhosting_preflight"]["hints"] for host, variables in seen.items()}
        if any(hints.values()):
            display.display(f"Worth a look, and no reason to stop:\n{listed(hints)}\n", color="bright purple")
        text = refusal(problems)
        if text:
            raise AnsibleActionFail(text)
        if arguments["say_so"]:
            display.display(f"Nothing to correct for {', '.join(seen)}.")
        return {**result, "changed": False, "problems": problems, "hints": hints}
