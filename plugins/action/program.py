# SPDX-FileCopyrightText: 2026 The selfhosting.lago authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Run a program of a product to its end, and show what it says."""

from __future__ import annotations

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase
from ansible.utils.display import Display
from ansible_collections.selfhosting.lago.plugins.plugin_utils import confirmation
from ansible_collections.selfhosting.lago.plugins.plugin_utils.following import follow
from ansible_collections.selfhosting.lago.plugins.plugin_utils.lease import terms
from ansible_collections.selfhosting.lago.plugins.plugin_utils.product import Product

display = Display()


class ActionModule(ActionBase):
    supports_check_mode = True

    def run(self, tmp=None, task_vars=None):
        result = super().run(tmp, task_vars)
        _valid, arguments = self.validate_argument_spec(
            argument_spec={
                "product": {"type": "str", "required": True},
                "program": {"type": "str", "required": True},
                "server": {"type": "dict", "required": True},
                "changes": {"type": "bool", "default": True},
                "exclusive": {"type": "bool", "default": False},
                "request": {"type": "dict"},
                "request_path": {"type": "path"},
                "confirm": {"type": "str"},
                "confirmed_by": {"type": "str"},
                "removes": {"type": "str"},
            }
        )
        host = task_vars["inventory_hostname"]
        product = Product.load(arguments["product"], self._loader, self._templar, task_vars)
        unit = f"{arguments['program']}.service"
        if not product.enabled:
            switch = ", ".join(sorted(product.switches))
            raise AnsibleActionFail(
                f"{host}: {unit} was not started: {switch} is false. Set it to true in vars.yml and type: "
                f"just install-service {product.name}"
            )
        if unit not in arguments["server"]["units"]:
            raise AnsibleActionFail(
                f"{host}: {unit} is not installed yet. Type: just install-service {product.name} -l {host}"
            )
        self._host, self._unit, self._task_vars, self._lease = host, unit, task_vars, None
        lines = []
        if arguments["confirmed_by"]:
            # A program that replaces something first says what; that changes nothing.
            lines = self.follow({**arguments["request"], "plan": True}, arguments["request_path"])
        if self._task.check_mode:
            display.display(f"{host}: would run {unit}")
            return {**result, "changed": arguments["changes"], "lines": lines}
        if arguments["confirmed_by"]:
            confirmation.require(host, arguments["confirm"], arguments["confirmed_by"])
        if arguments["removes"]:
            confirmation.require(host, arguments["confirm"], f"This removes {arguments['removes']}.")
        if arguments["exclusive"]:
            self._lease = terms(host, arguments["server"])
        lines = self.follow(arguments["request"], arguments["request_path"])
        # A run that held the server gives it back in the end.
        done = [*task_vars.get("selfhosting_done", []), {"units": {}}]
        facts = {"ansible_facts": {"selfhosting_done": done}} if arguments["exclusive"] else {}
        return {**result, "changed": arguments["changes"], "lines": lines, **facts}

    def follow(self, request: dict | None = None, request_path: str | None = None) -> list[str]:
        """To the end. Modules skip themselves in check mode; what is started there has been asked to change nothing."""
        asked = {} if request is None else {"request": request, "request_path": request_path}
        checking, self._task.check_mode = self._task.check_mode, False
        try:
            return follow(self, self._host, self._unit, self._task_vars, lease=self._lease, **asked)
        finally:
            self._task.check_mode = checking
