# SPDX-FileCopyrightText: 2026 The selfhosting.lago authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Prove what was adopted, note that it is done, and say how to go back and how to delete the project."""

from __future__ import annotations

import json
import time

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase
from ansible.utils.display import Display
from ansible_collections.selfhosting.lago.plugins.plugin_utils import moving
from ansible_collections.selfhosting.lago.plugins.plugin_utils.lease import terms

display = Display()


class ActionModule(ActionBase):
    supports_check_mode = False

    def run(self, tmp=None, task_vars=None):
        result = super().run(tmp, task_vars)
        _valid, arguments = self.validate_argument_spec(
            argument_spec={
                "server": {"type": "dict", "required": True},
                "record_path": {"type": "path", "required": True},
                "container": {"type": "str", "required": True},
                "environment_path": {"type": "path", "required": True},
            }
        )
        self._task_vars, host, path = task_vars, task_vars["inventory_hostname"], arguments["record_path"]
        tables = self.module(
            "lago_keys", container=arguments["container"], environment_path=arguments["environment_path"]
        )["tables"]
        unreadable = moving.lost(task_vars["selfhosting_adopt"]["tables"], tables)
        if unreadable:
            raise AnsibleActionFail(
                f"{host}: not all stored credentials can be decrypted here: {'; '.join(unreadable)}"
            )
        name = path.rsplit("/", 1)[1].removesuffix(".json")
        record = {**arguments["server"]["records"][name], "state": "done", "time": time.strftime("%Y-%m-%d %H:%M:%S")}
        self.module(
            "server_files",
            files=[{"path": path, "content": json.dumps(record), "mode": "0600"}],
            lease=terms(host, arguments["server"]),
        )
        project = {**task_vars["selfhosting_adopt"]["project"], "record": record}
        decrypted = sum(counts["live"] for counts in tables.values())
        for line in [
            f"{project['directory']} is adopted. Stored credentials that were decrypted here: {decrypted}",
            *moving.way_back(project),
            *moving.farewell(project),
        ]:
            display.display(f"{host}: {line}")
        return {**result, "changed": True}

    def module(self, name: str, **arguments) -> dict:
        answer = self._execute_module(
            module_name=f"selfhosting.lago.{name}", module_args=arguments, task_vars=self._task_vars
        )
        if answer.get("failed"):
            raise AnsibleActionFail(answer.get("msg") or f"{name} failed", result=answer)
        return answer
