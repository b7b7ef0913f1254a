# SPDX-FileCopyrightText: 2026 The selfhosting.lago authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""See which Lago really runs, print the way to another release, and ask whether to go it."""

from __future__ import annotations

import dataclasses
import time

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase
from ansible.utils.display import Display
from ansible_collections.selfhosting.lago.plugins.plugin_utils import confirmation, upgrade
from ansible_collections.selfhosting.lago.plugins.plugin_utils.checks import problems_of
from ansible_collections.selfhosting.lago.plugins.plugin_utils.lease import terms
from ansible_collections.selfhosting.lago.plugins.plugin_utils.product import Product
from ansible_collections.selfhosting.lago.plugins.plugin_utils.verdict import refusal
from ansible_collections.selfhosting.lago.plugins.plugin_utils.versions import lago_version

display = Display()


class ActionModule(ActionBase):
    supports_check_mode = True

    def run(self, tmp=None, task_vars=None):
        result = super().run(tmp, task_vars)
        self._task_vars = task_vars
        _valid, arguments = self.validate_argument_spec(
            argument_spec={
                "server": {"type": "dict", "required": True},
                "version": {"type": "str", "default": ""},
                "options": {"type": "dict", "required": True},
                "confirm": {"type": "str"},
                "print_only": {"type": "bool", "default": False},
            }
        )
        host, server, options = task_vars["inventory_hostname"], arguments["server"], arguments["options"]
        lago = Product.load("lago", self._loader, self._templar, task_vars)
        present = {**self.running(lago), "version": server["lago"]["version"]}
        record = server["records"].get(f"{lago.identifier}-{upgrade.RECORD}")
        try:
            way, wanted = self.way(lago, present, record, arguments["version"])
        except upgrade.UpgradeError as error:
            raise AnsibleActionFail(f"{host}: {error}") from error
        gates = {hop.version: self.gate(lago, hop.version) for hop in way}
        text = upgrade.described(present, way, gates, {**options, **self.words(lago, options)})
        display.display("\n".join(f"{host}: {line}" for line in text.splitlines()))
        problems = [] if not way else [*self.problems(way), *self.obstacles(lago, server, present, options)]
        if problems:
            raise AnsibleActionFail(refusal({host: problems}))
        hops = [dataclasses.asdict(hop) for hop in way]
        if way and not arguments["print_only"] and not self._task.check_mode:
            confirmation.require(host, arguments["confirm"], f"Lago is upgraded to {wanted}.")
        noted = upgrade.began(record, present["version"], wanted, present["image_ids"], int(time.time()))
        lease = terms(host, server)
        return {**result, "changed": False, "hops": hops, "to": wanted, "record": noted, "lease": lease}

    def running(self, lago: Product) -> dict:
        answer = self._execute_module(
            module_name="selfhosting.lago.lago_running",
            module_args={
                "containers": upgrade.containers_of(lago),
                "landmarks": list(lago.variable("lago_schema_landmarks")),
            },
            task_vars=self._task_vars,
        )
        if answer.get("failed"):
            raise AnsibleActionFail(answer.get("msg") or "lago_running failed", result=answer)
        return {key: answer[key] for key in ("images", "image_ids", "schema", "landmarks")}

    def way(self, lago: Product, present: dict, record: dict | None, asked: str):
        facts, version = upgrade.facts_of(lago), present["version"]
        configured, newest = str(lago.variable("lago_version")), facts["newest"]
        wanted = upgrade.destination(version, asked, configured, newest) if version else newest
        if record and record["state"] in upgrade.UNDER_WAY:
            raise upgrade.UpgradeError("A way back was begun here and is not done. Type: just rollback")
        begun = upgrade.unfinished(record)
        landmarks = [lago.variable("lago_schema_landmarks")[one] for one in present["landmarks"]]
        schema = max(landmarks, key=lago_version, default="")
        if schema and not begun and lago_version(schema) > lago_version(version):
            raise upgrade.UpgradeError(
                f"The images are of {version}, and the database has been migrated by {schema} or newer. "
                "Set lago_version to the release that really ran there last, and type: just install-service lago"
            )
        return upgrade.hops(version, wanted, facts, begun), wanted

    def gate(self, lago: Product, version: str) -> list[str]:
        organization = "lago_migrate_environment_variable_lago_create_org"
        return lago.evaluate(f"lago_gate_commands | selfhosting.lago.gate_command('{version}', {organization})")

    def words(self, lago: Product, options: dict) -> dict:
        enabled = lago.variable("backup_enabled")
        backup = "made and restored on trial before the migration" if enabled else "none"
        return {
            "backup": backup if not options["without_backup"] else "none, as you said",
            "queues": lago.variable("lago_upgrade_queues"),
            "source": lago.variable("lago_upgrade_source"),
        }

    def obstacles(self, lago: Product, server: dict, present: dict, options: dict) -> list[str]:
        """What has to be there before the first hop."""
        found = []
        if f"{lago.variable('lago_api_identifier')}.service" in server["foreign"]["units"]:
            found.append("Lago is still MASH's on this server. Take it over first, at its release: just install-all")
        if not lago.variable("backup_enabled") and not options["without_backup"]:
            found.append(
                "backup_enabled is False: without a backup there is no way back. Set backup_enabled: true and type "
                "just install-service backup; or go without one: -e upgrade_without_backup=true"
            )
        if options["closed"] and not lago.variable("lago_traefik_dynamic_config_path"):
            found.append(
                "upgrade_close_ingest is true, and no Traefik of this collection is there to close the API: remove it, "
                "and let your own reverse proxy answer 503 with Retry-After meanwhile"
            )
        if options["closed"] and lago.variable("lago_api_container_http_host_bind_port"):
            found.append(
                "upgrade_close_ingest is true, and lago_api_container_http_host_bind_port is another way to the API, "
                "which Traefik does not close: remove one of the two"
            )
        if not present["images"]:
            found.append("no container of Lago runs. Type: just start-all")
        return found

    def problems(self, way: list) -> list[str]:
        """What the checks of all products say of each release on the way, as if it were the configured one."""
        found = []
        for hop in way:
            variables = {**self._task_vars, "lago_version": hop.version}
            templar = self._templar.copy_with_new_env(available_variables=variables)
            for name in ("lago", "postgres"):
                product = Product.load(name, self._loader, templar, variables)
                for problem in problems_of(product) if product.enabled else []:
                    # Which release may follow which one, the way says itself.
                    if not problem.warning and problem.variable != "lago_version":
                        found.append(f"for {hop.version}: {problem}")
        return found
