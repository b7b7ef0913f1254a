# SPDX-FileCopyrightText: 2026 The selfhosting.lago authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Start, restart or stop the services of all products, or those of one group."""

from __future__ import annotations

import difflib

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase
from ansible.utils.display import Display
from ansible_collections.selfhosting.lago.plugins.plugin_utils.lease import terms
from ansible_collections.selfhosting.lago.plugins.plugin_utils.losses import losses
from ansible_collections.selfhosting.lago.plugins.plugin_utils.plan import announced_wait, order_of, unit_names
from ansible_collections.selfhosting.lago.plugins.plugin_utils.product import Product

display = Display()
OPERATIONS = {"start": "converge", "restart": "restart", "stop": "stop"}


class ActionModule(ActionBase):
    supports_check_mode = True

    def run(self, tmp=None, task_vars=None):
        result = super().run(tmp, task_vars)
        _valid, arguments = self.validate_argument_spec(
            argument_spec={
                "products": {"type": "list", "elements": "str", "required": True},
                "server": {"type": "dict", "required": True},
                "server_changed": {"type": "bool", "default": False},
                "operation": {"type": "str", "choices": list(OPERATIONS), "required": True},
                "group": {"type": "str"},
            }
        )
        products = [Product.load(name, self._loader, self._templar, task_vars) for name in arguments["products"]]
        units, order = self.units(products, arguments["group"])
        if not units or self.nothing_to_do(units, arguments) or self.announced(arguments):
            return {**result, "changed": False, "changes": {"units": {}}}
        for unit in units if arguments["operation"] == "restart" else []:
            if waits := announced_wait(unit, order):
                display.display(f"{task_vars['inventory_hostname']}: {waits}")
        if arguments["operation"] == "stop":
            result["warnings"] = losses(products, units, "stop", arguments["server"], task_vars)
        answer = self._execute_module(
            module_name="selfhosting.lago.server_units",
            module_args={
                "operation": OPERATIONS[arguments["operation"]],
                "units": units,
                "order": order,
                "lease": terms(task_vars["inventory_hostname"], arguments["server"]),
            },
            task_vars=task_vars,
        )
        if answer.get("failed"):
            raise AnsibleActionFail(answer.get("msg"), result=answer)
        if answer.get("warnings"):
            result["warnings"] = [*result.get("warnings", []), *answer["warnings"]]
        changes = {"units": answer["units"]}
        facts = {"selfhosting_done": [*task_vars.get("selfhosting_done", []), changes]} if answer["changed"] else {}
        return {**result, "changed": answer["changed"], "changes": changes, "ansible_facts": facts}

    def units(self, products: list[Product], group: str | None) -> tuple[dict[str, str], dict[str, dict]]:
        """The units of the enabled products, or those in the group: references of their images, and their order."""
        found, order, groups = {}, {}, set()
        for product in products:
            for service in product.names():
                names = [service["name"], *service["groups"]]
                groups.update(names)
                if product.enabled and (not group or group in names):
                    for unit in unit_names(service):
                        found[unit] = service["image"] if unit.endswith(".service") else ""
                        if order_of(service):
                            order[unit] = order_of(service)
        if group and group not in groups:
            near = difflib.get_close_matches(group, sorted(groups), n=3)
            raise AnsibleActionFail(
                f"group: there is no group {group!r}. {'Did you mean: ' + ', '.join(near) + '? ' if near else ''}"
                f"There are: {', '.join(sorted(groups))}"
            )
        return found, order

    def announced(self, arguments: dict) -> bool:
        """In check mode the products' own tasks have said what they would start."""
        return self._task.check_mode and arguments["operation"] == "start" and arguments["server_changed"]

    def nothing_to_do(self, units: dict[str, str], arguments: dict) -> bool:
        if arguments["operation"] != "start" or arguments["server_changed"]:
            return False
        seen = arguments["server"]["units"]
        return all(
            unit in seen and seen[unit]["active"] and seen[unit]["enabled"] and not seen[unit]["stale"]
            for unit in units
        )
