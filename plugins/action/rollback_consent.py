# SPDX-FileCopyrightText: 2026 The selfhosting.lago authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""What came in since the backup goes only when somebody has seen how much it is."""

from __future__ import annotations

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase
from ansible_collections.selfhosting.lago.plugins.plugin_utils import confirmation, upgrade


class ActionModule(ActionBase):
    def run(self, tmp=None, task_vars=None):
        result = super().run(tmp, task_vars)
        _valid, arguments = self.validate_argument_spec(
            argument_spec={
                "found": {"type": "dict", "required": True},
                "closed": {"type": "bool", "required": True},
                "confirm_rows": {"type": "str"},
            }
        )
        host, found, given = task_vars["inventory_hostname"], arguments["found"], arguments["confirm_rows"]
        if upgrade.consented(found, arguments["closed"], given):
            return {**result, "changed": False}
        counted = f"{found['rows']} rows were written since the backup, {found['events']} of them events"
        question = f"{host}: {counted}, which are sent again. Type {found['rows']} to go on: "
        if not upgrade.consented(found, False, None if given else confirmation.ask(question)):
            raise AnsibleActionFail(
                f"{host}: {counted}, which are sent again; the API was not closed since. Nothing was put back, and "
                f"Lago serves as before. To go back although: just rollback -l {host} -e confirm_rows={found['rows']}. "
                "That is the most that may go: where more come in all the time, give a larger number."
            )
        return {**result, "changed": False}
