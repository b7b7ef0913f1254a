# SPDX-FileCopyrightText: 2026 The selfhosting.lago authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""The way of an upgrade as data for the program that rehearses it."""

from __future__ import annotations

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase
from ansible.utils.display import Display
from ansible_collections.selfhosting.lago.plugins.plugin_utils import upgrade
from ansible_collections.selfhosting.lago.plugins.plugin_utils.product import Product

display = Display()


class ActionModule(ActionBase):
    supports_check_mode = True

    def run(self, tmp=None, task_vars=None):
        result = super().run(tmp, task_vars)
        _valid, arguments = self.validate_argument_spec(
            argument_spec={
                "server": {"type": "dict", "required": True},
                "version": {"type": "str", "default": ""},
            }
        )
        host, lago = task_vars["inventory_hostname"], Product.load("lago", self._loader, self._templar, task_vars)
        present = arguments["server"]["lago"]["version"]
        facts, configured = upgrade.facts_of(lago), str(lago.variable("lago_version"))
        try:
            wanted = upgrade.destination(present, arguments["version"], configured, facts["newest"])
            way = upgrade.hops(present, wanted, facts)
        except upgrade.UpgradeError as error:
            raise AnsibleActionFail(f"{host}: {error}") from error
        hops = [self.hop(task_vars, hop) for hop in way]
        if not hops:
            display.display(f"{host}: Lago {present} is there, and nothing to rehearse")
        for hop in hops:
            display.display(f"{host}: will rehearse the upgrade to {hop['version']} on a copy from the newest backup")
        images = [{"reference": hop["image"]} for hop in hops]
        return {**result, "changed": False, "hops": hops, "images": images}

    def hop(self, task_vars: dict, hop: upgrade.Hop) -> dict:
        """As if that release were the configured one."""
        variables = {**task_vars, "lago_version": hop.version}
        templar = self._templar.copy_with_new_env(available_variables=variables)
        lago = Product.load("lago", self._loader, templar, variables)
        command = lago.evaluate(f"lago_gate_commands | selfhosting.lago.gate_command('{hop.version}', false)")
        return {
            "version": hop.version,
            "image": lago.variable("lago_api_container_image"),
            "command": command,
            "tasks": hop.tasks,
        }
