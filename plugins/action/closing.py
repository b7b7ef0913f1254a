# SPDX-FileCopyrightText: 2026 The selfhosting.lago authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Say at the end of a run what is left to do on its hosts."""

from __future__ import annotations

from ansible.plugins.action import ActionBase
from ansible.utils.display import Display

display = Display()


class ActionModule(ActionBase):
    supports_check_mode = True

    def run(self, tmp=None, task_vars=None):
        result = super().run(tmp, task_vars)
        _valid, arguments = self.validate_argument_spec(
            argument_spec={"hosts": {"type": "list", "elements": "str", "required": True}}
        )
        notices = {host: task_vars["hostvars"][host].get("selfhosting_notices", []) for host in arguments["hosts"]}
        for host, texts in notices.items():
            for text in texts:
                display.display(f"{host}: {text}", color="bright purple")
        return {**result, "changed": False, "notices": notices}
