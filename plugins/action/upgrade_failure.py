# SPDX-FileCopyrightText: 2026 The selfhosting.lago authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Say how things are after a release did not come up, and what to do."""

from __future__ import annotations

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase
from ansible_collections.selfhosting.lago.plugins.plugin_utils import upgrade
from ansible_collections.selfhosting.lago.plugins.plugin_utils.product import Product


class ActionModule(ActionBase):
    def run(self, tmp=None, task_vars=None):
        super().run(tmp, task_vars)
        _valid, arguments = self.validate_argument_spec(
            argument_spec={
                "version": {"type": "str", "required": True},
                "present": {"type": "str", "required": True},
                "failure": {"type": "dict", "required": True},
                "record": {"type": "dict", "required": True},
            }
        )
        host, failure = task_vars["inventory_hostname"], arguments["failure"]
        lago = Product.load("lago", self._loader, self._templar, task_vars)
        answer = self._execute_module(
            module_name="selfhosting.lago.lago_running",
            module_args={"containers": upgrade.containers_of(lago)},
            task_vars=task_vars,
        )
        command = [
            "docker", "exec", lago.variable("postgres_identifier"), "psql",
            f"--username={lago.variable('postgres_connection_username')}",
            f"--dbname={lago.variable('lago_database_name')}",
            "--command",
        ]  # fmt: skip
        indexes = upgrade.leftovers(answer.get("invalid_indexes", []), command)
        raise AnsibleActionFail(
            upgrade.failed(host, arguments["version"], arguments["present"], failure, arguments["record"], indexes)
        )
