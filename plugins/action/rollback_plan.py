# SPDX-FileCopyrightText: 2026 The selfhosting.lago authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Say to which state there is a way back, and ask whether to go it."""

from __future__ import annotations

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase
from ansible.utils.display import Display
from ansible_collections.selfhosting.lago.plugins.module_utils.engine import normal_reference
from ansible_collections.selfhosting.lago.plugins.plugin_utils import confirmation, upgrade
from ansible_collections.selfhosting.lago.plugins.plugin_utils.lease import terms
from ansible_collections.selfhosting.lago.plugins.plugin_utils.product import Product

display = Display()


class ActionModule(ActionBase):
    supports_check_mode = True

    def run(self, tmp=None, task_vars=None):
        result = super().run(tmp, task_vars)
        _valid, arguments = self.validate_argument_spec(
            argument_spec={"server": {"type": "dict", "required": True}, "confirm": {"type": "str"}}
        )
        host, server = task_vars["inventory_hostname"], arguments["server"]
        lago = Product.load("lago", self._loader, self._templar, task_vars)
        try:
            record = upgrade.way_back(server["records"].get(f"{lago.identifier}-{upgrade.RECORD}"))
        except upgrade.UpgradeError as error:
            raise AnsibleActionFail(f"{host}: {error}") from error
        for line in upgrade.announced(record, server["lago"]["version"]):
            display.display(f"{host}: {line}")
        if self.other_image(record, server, task_vars):
            display.warning(
                f"{host}: the image of {record['from']} on the server is not the one that ran before the upgrade: "
                "somebody pulled it anew. It is used."
            )
        if record["state"] == upgrade.ROLLING_BACK:
            display.display(f"{host}: an earlier run began with that; what is left of it is done now.")
        if not self._task.check_mode:
            confirmation.require(host, arguments["confirm"], f"Lago goes back to {record['from']}.")
        # The front has no state, and says that Lago is back soon.
        front = f"{lago.variable('lago_front_identifier')}.service"
        units = {
            unit: seen.get("image", "")
            for unit, seen in server["units"].items()
            if seen["product"] == lago.identifier and seen["enabled"] and unit != front
        }
        lease = terms(host, server)
        return {**result, "changed": False, "record": dict(record), "units": units, "lease": lease}

    def other_image(self, record: dict, server: dict, task_vars: dict) -> bool:
        """Whether the name of the image stands for another one by now."""
        variables = {**task_vars, "lago_version": record["from"]}
        templar = self._templar.copy_with_new_env(available_variables=variables)
        lago = Product.load("lago", self._loader, templar, variables)
        seen = server["images"].get(normal_reference(lago.variable("lago_api_container_image")))
        return bool(seen) and bool(record["images"]) and seen not in record["images"].values()
