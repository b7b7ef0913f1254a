# SPDX-FileCopyrightText: 2026 The selfhosting.lago authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Put inventory hosts that are one server into an order, and refuse what two of them would both own."""

from __future__ import annotations

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase
from ansible_collections.selfhosting.lago.plugins.plugin_utils.neighbours import conflicts, waves


class ActionModule(ActionBase):
    supports_check_mode = True

    def run(self, tmp=None, task_vars=None):
        result = super().run(tmp, task_vars)
        _valid, arguments = self.validate_argument_spec(
            argument_spec={"hosts": {"type": "list", "elements": "str", "required": True}}
        )
        hostvars = task_vars["hostvars"]
        claims = {host: hostvars[host]["selfhosting_claims"] for host in arguments["hosts"]}
        try:
            problems, order = conflicts(claims), waves(claims)
        except ValueError as error:
            problems, order = [str(error)], {}
        if problems:
            listed = "\n".join(f"  {number}. {problem}" for number, problem in enumerate(problems, 1))
            raise AnsibleActionFail(f"Nothing was changed; to correct first:\n{listed}")
        return {
            **result,
            "changed": False,
            "ansible_facts": {"selfhosting_wave": order[task_vars["inventory_hostname"]]},
        }
