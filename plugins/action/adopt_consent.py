# SPDX-FileCopyrightText: 2026 The selfhosting.lago authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Print what an adoption would do; go on where the host is named, and only then."""

from __future__ import annotations

import os
import tempfile

from ansible.plugins.action import ActionBase
from ansible.utils.display import Display
from ansible_collections.selfhosting.lago.plugins.plugin_utils import confirmation, moving

display = Display()


class ActionModule(ActionBase):
    supports_check_mode = True

    def run(self, tmp=None, task_vars=None):
        result = super().run(tmp, task_vars)
        _valid, arguments = self.validate_argument_spec(argument_spec={"confirm": {"type": "str"}})
        host, adopted = task_vars["inventory_hostname"], task_vars["selfhosting_adopt"]
        project = adopted["project"]
        if adopted["done"]:
            lines = [f"{project['directory']} is adopted; nothing is left to do.", *moving.way_back(project)]
            self.say(host, [*lines, *moving.farewell(project)])
            return {**result, "changed": False, "confirmed": False}
        self.say(host, [*adopted["announced"], *adopted["hints"], f"These lines are written to {adopted['path']}"])
        if project["record"]:
            self.say(
                host, ["An earlier run began with that; what is left of it is done now.", *moving.way_back(project)]
            )
        if self._task.check_mode or not arguments["confirm"]:
            again = f"just adopt-compose {project['directory']} -e confirm={host}"
            self.say(host, [f"Nothing was changed. To do it: {again}"])
            return {**result, "changed": False, "confirmed": False}
        confirmation.require(host, arguments["confirm"], f"{project['directory']} is adopted.")
        write(adopted["path"], adopted["text"])
        return {**result, "changed": True, "confirmed": True}

    @staticmethod
    def say(host: str, lines: list[str]) -> None:
        for line in lines:
            display.display(f"{host}: {line}")


def write(path: str, text: str) -> None:
    """For its owner alone, whole or not at all."""
    os.makedirs(os.path.dirname(path), mode=0o700, exist_ok=True)
    # Private from the first moment on.
    handle, temporary = tempfile.mkstemp(dir=os.path.dirname(path), prefix=".adopted-")
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.write(text)
    os.replace(temporary, path)
