# SPDX-FileCopyrightText: 2026 The selfhosting.lago authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Start, restart or stop the services of all products, or those of one group."""

from __future__ import annotations

import difflib

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase
from ansible.utils.display import Display
from ansible_collections.selfhosting.lago.plugins.plugin_utils.neighbours import KEYS, dependents
from ansible_collections.selfhosting.lago.plugins.plugin_utils.plan import order_of, unit_names, units_of
from ansible_collections.selfhosting.lago.plugins.plugin_utils.product import Product

display = Display()
OPERATIONS = {"start": "converge", "restart": "restart", "stop": "stop", "remove": "remove"}


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
        order = {}
        if arguments["operation"] == "remove":
            owned = self.owned_by_others(task_vars, arguments["server"])
            off = [product for product in products if not product.enabled and product.identifier not in owned]
            units = dict.fromkeys(units_of(off, arguments["server"]), "")
        else:
            units, order = self.units(products, arguments["group"])
        if not units or self.nothing_to_do(units, arguments) or self.announced(arguments):
            return {**result, "changed": False, "changes": {"units": {}}}
        if arguments["operation"] in ("stop", "remove"):
            result["warnings"] = self.losses(products, units, arguments, task_vars)
        if arguments["operation"] == "remove":
            self.say_what_stays(off, units, arguments["server"], task_vars["inventory_hostname"])
        answer = self._execute_module(
            module_name="selfhosting.lago.server_units",
            module_args={"operation": OPERATIONS[arguments["operation"]], "units": units, "order": order},
            task_vars=task_vars,
        )
        if answer.get("failed"):
            raise AnsibleActionFail(answer.get("msg"), result=answer)
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

    def owned_by_others(self, task_vars: dict, server: dict) -> set[str]:
        """Identifiers of products that other inventory hosts of the server brought up: not this host's to remove."""
        host, inventory = task_vars["inventory_hostname"], task_vars["groups"]["all"]
        records = server["claims"].items()
        return {name for name, record in records if record["host"] != host and record["host"] in inventory}

    def losses(self, products: list[Product], units: dict[str, str], arguments: dict, task_vars: dict) -> list[str]:
        """One warning where something that goes on running needs what is stopped."""
        server = arguments["server"]
        stopped = {unit for unit in units if server["units"].get(unit, {}).get("active")}
        own = {server["units"][unit]["product"] for unit in stopped}
        networks = {
            service["networks"][0]
            for product in products
            if product.identifier in own
            for service in product.parts(KEYS)
            if f"{service['name']}.service" in stopped
        }
        # In check mode the server still shows what hosts before this one stop.
        gone = {
            unit
            for earlier in task_vars.get("selfhosting_earlier", [])
            for changes in task_vars["hostvars"][earlier].get("selfhosting_done", [])
            for unit, change in changes["units"].items()
            if change["action"] in ("stop", "remove")
        }
        gone |= {unit for unit, seen in server["units"].items() if seen["product"] in own}
        lost = {unit: what for unit, what in dependents(stopped, networks, server).items() if unit not in gone}
        if not lost:
            return []
        hosts = {f"{unit}.service": record["host"] for record in server["claims"].values() for unit in record["units"]}
        listed = "; ".join(
            f"{unit}{' of ' + hosts[unit] if unit in hosts else ''} ({', '.join(what)})" for unit, what in lost.items()
        )
        end = "they are given another one" if arguments["operation"] == "remove" else "it is started again"
        return [
            f"{task_vars['inventory_hostname']}: {', '.join(sorted(stopped))}: stopped while others on the server need "
            f"it. They go on running and fail until {end}: {listed}"
        ]

    def say_what_stays(self, products: list[Product], units: dict[str, str], server: dict, host: str) -> None:
        removed = {server["units"][unit]["product"] for unit in units}
        for product in products:
            if product.identifier in removed:
                stays = f"its data stays in {product.value('data_path')}"
                display.display(f"{host}: {product.identifier} is switched off and removed; {stays}")

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
