# SPDX-FileCopyrightText: 2026 The selfhosting.lago authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Look at the server, and compare its clock with this machine's."""

from __future__ import annotations

import time

from ansible.plugins.action import ActionBase


def clock_ahead(seen: float, before: float, after: float) -> int:
    """Whole seconds by which the other clock is ahead; negative where it is behind, 0 where it may be right."""
    return int(min(0, seen - before) or max(0, seen - after))


class ActionModule(ActionBase):
    supports_check_mode = True

    def run(self, tmp=None, task_vars=None):
        result = super().run(tmp, task_vars)
        before = time.time()
        answer = self._execute_module(
            module_name="selfhosting.lago.server_probe", module_args=self._task.args, task_vars=task_vars
        )
        server = answer.get("server")
        if server and "time" in server:
            # The module looks somewhere between these two.
            server["clock_ahead_seconds"] = clock_ahead(server.pop("time"), before, time.time())
        return {**result, **answer}
