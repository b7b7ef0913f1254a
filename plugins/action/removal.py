# SPDX-FileCopyrightText: 2026 The selfhosting.lago authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Remove the services of products from a server; their data stays."""

from __future__ import annotations

import re
import time

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase
from ansible.utils.display import Display
from ansible_collections.selfhosting.lago.plugins.plugin_utils import confirmation
from ansible_collections.selfhosting.lago.plugins.plugin_utils.lease import terms
from ansible_collections.selfhosting.lago.plugins.plugin_utils.losses import losses, owned_by_others
from ansible_collections.selfhosting.lago.plugins.plugin_utils.plan import units_of
from ansible_collections.selfhosting.lago.plugins.plugin_utils.product import Product

display = Display()
NOTHING = {"units": {}, "networks": [], "images": [], "files": [], "data": []}
BUILT_FROM = re.compile(r"^FROM\s+(\S+)", re.MULTILINE)
KINDS = {"units": "unit", "networks": "network", "images": "image", "files": "file", "data": "data"}
# How old a backup that was restored on trial may be to delete data.
YOUNGEST_SECONDS = 24 * 3600


class ActionModule(ActionBase):
    supports_check_mode = True

    def run(self, tmp=None, task_vars=None):
        result = super().run(tmp, task_vars)
        self._task_vars = task_vars
        self._host = task_vars["inventory_hostname"]
        _valid, arguments = self.validate_argument_spec(
            argument_spec={
                "products": {"type": "list", "elements": "str", "required": True},
                "server": {"type": "dict", "required": True},
                "everything": {"type": "bool", "default": False},
                "confirm": {"type": "str"},
                "delete_data": {"type": "str"},
            }
        )
        server = arguments["server"]
        self._lease = terms(self._host, server)
        products = [Product.load(name, self._loader, self._templar, task_vars) for name in arguments["products"]]
        leaving = [one for one in products if arguments["everything"] or not one.enabled]
        owned = owned_by_others(task_vars, server)
        leaving = [one for one in leaving if one.identifier not in owned]
        # What has no unit on the server was never installed by us, whatever there is of the same name.
        deleting = bool(arguments["everything"] and arguments["delete_data"])
        leaving = [one for one in leaving if units_of([one], server) or deleting]
        changes = NOTHING
        if leaving:
            wanted = self.wanted(leaving, server)
            if deleting:
                self.may_delete(arguments["delete_data"], server["records"].get(self.record()))
                wanted["data"] = sorted(
                    data["path"] for product in leaving for data in product.data() if data["delete"]
                )
            changes = self.announced(wanted)
            result["warnings"] = losses(products, wanted["units"], "remove", server, task_vars)
            if not self._task.check_mode:
                if arguments["everything"]:
                    what = "all of this is removed" + (", the data as well." if deleting else "; the data stays.")
                    confirmation.require(self._host, arguments["confirm"], what)
                changes = self.module(wanted)
        facts = {"selfhosting_done": [*task_vars.get("selfhosting_done", []), changes]} if any(changes.values()) else {}
        result["ansible_facts"] = facts
        stays = self.kept(products if arguments["everything"] else leaving, server, deleting)
        return {**result, "changed": any(changes.values()), "changes": changes, "kept": stays}

    def record(self) -> str:
        """Of this host's backups; other hosts of the server have others."""
        backup = Product.load("backup", self._loader, self._templar, self._task_vars)
        return f"{backup.identifier}-verified"

    def may_delete(self, given: str, record: dict | None) -> None:
        """Data goes only where the host is spelled out and a young backup was restored on trial."""
        if not confirmation.named(self._host, given):
            raise AnsibleActionFail(
                f"delete_data is {given!r}, and this host is {self._host}: nothing was changed. "
                f"To delete its data type -e delete_data={self._host}"
            )
        if not record or time.time() - record["backup_time"] > YOUNGEST_SECONDS:
            seen = "none that has passed its trial" if not record else "the last good one is older"
            raise AnsibleActionFail(
                f"delete_data: nothing was changed. Data is deleted only with a good backup of the last 24 hours; on "
                f"{self._host} there is {seen}. Type: just backup -l {self._host}, then just verify-backup -l "
                f"{self._host}, then this again. Without delete_data the data stays."
            )

    def wanted(self, leaving: list[Product], server: dict) -> dict:
        """All that belongs to the products; the module keeps what others need."""
        units = units_of(leaving, server)
        images = {server["units"][unit]["image"] for unit in units}
        networks, files = set(), set()
        for product in leaving:
            networks |= {network["name"] for network in product.networks() if network["deletion"]}
            own = tuple(f"{directory['path']}/" for directory in product.directories())
            files |= {path for path in product.file_paths() if not path.startswith(own)}
            for service in product.names():
                images |= set(BUILT_FROM.findall(service["dockerfile"] or ""))
        return {
            "units": units,
            "networks": sorted(networks),
            "images": sorted(images - {""}),
            "files": sorted(files),
        }

    def announced(self, wanted: dict) -> dict:
        changes = self.module({**wanted, "announce": True})
        for kind, word in KINDS.items():
            for name in changes[kind]:
                display.display(f"{self._host}: will remove {word} {name}")
        return changes

    def module(self, arguments: dict) -> dict:
        name = "selfhosting.lago.server_removal"
        # What is only announced, nobody waits for.
        lease = {} if arguments.get("announce") else {"lease": self._lease}
        answer = self._execute_module(module_name=name, module_args={**arguments, **lease}, task_vars=self._task_vars)
        if answer.get("failed"):
            raise AnsibleActionFail(answer.get("msg") or f"{name} failed", result=answer)
        return {kind: answer[kind] for kind in NOTHING}

    def kept(self, products: list[Product], server: dict, deleting: bool) -> list[str]:
        """Where the data is that stays, as far as it is there."""
        verb = "would stay" if self._task.check_mode else "stays"
        lines = []
        for product in products:
            for data in product.data():
                if data["path"] in server["files"] and not (deleting and data["delete"]):
                    lines.append(f"{data['name']}: {data['path']}")
                    display.display(f"{self._host}: {verb}: {lines[-1]}")
        return lines
