# SPDX-FileCopyrightText: 2026 The selfhosting.lago authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Look at the server when no other run changes it, and compare its clock with this machine's."""

from __future__ import annotations

import time

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase
from ansible.utils.display import Display
from ansible_collections.selfhosting.lago.plugins.plugin_utils.lease import another

display = Display()
# Seconds between two looks at a server that another run changes.
LOOK_AGAIN_AFTER = 5


def clock_ahead(seen: float, before: float, after: float) -> int:
    """Whole seconds by which the other clock is ahead; negative where it is behind, 0 where it may be right."""
    return int(min(0, seen - before) or max(0, seen - after))


class ActionModule(ActionBase):
    supports_check_mode = True

    def run(self, tmp=None, task_vars=None):
        result = super().run(tmp, task_vars)
        arguments = dict(self._task.args)
        patience = float(arguments.pop("wait_seconds", None) or 0)
        answer = self.look(arguments, task_vars)
        if patience and not self._task.check_mode:
            answer = self.after_others(answer, arguments, task_vars, patience)
        return {**result, **answer}

    def look(self, arguments: dict, task_vars: dict) -> dict:
        before = time.time()
        answer = self._execute_module(
            module_name="selfhosting.lago.server_probe", module_args=arguments, task_vars=task_vars
        )
        server = answer.get("server")
        if server and "time" in server:
            # The module looks somewhere between these two.
            server["clock_ahead_seconds"] = clock_ahead(server.pop("time"), before, time.time())
        return answer

    def after_others(self, answer: dict, arguments: dict, task_vars: dict, patience: float) -> dict:
        """What the server is like once no other run changes it."""
        host, deadline = task_vars["inventory_hostname"], time.monotonic() + patience
        told = ""
        while lease := another(answer.get("server") or {}):
            text = f"{lease['who']} has been changing this server since {lease['began']}"
            if time.monotonic() > deadline:
                raise AnsibleActionFail(f"{host}: {text}; nothing was changed. Run again when that is over.")
            if text != told:
                display.display(f"{host}: {text}; waiting for that, {patience:.0f} s at most")
                told = text
            time.sleep(LOOK_AGAIN_AFTER)
            answer = self.look(arguments, task_vars)
        return answer
