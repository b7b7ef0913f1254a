# SPDX-FileCopyrightText: 2026 The selfhosting.lago authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Write some of a product's files and nothing else, where they differ."""

from __future__ import annotations

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase
from ansible_collections.selfhosting.lago.plugins.plugin_utils.lease import terms
from ansible_collections.selfhosting.lago.plugins.plugin_utils.product import Product, role_path
from ansible_collections.selfhosting.lago.plugins.plugin_utils.render import Renderer


class ActionModule(ActionBase):
    def run(self, tmp=None, task_vars=None):
        result = super().run(tmp, task_vars)
        _valid, arguments = self.validate_argument_spec(
            argument_spec={
                "name": {"type": "str", "required": True},
                "paths": {"type": "list", "elements": "str", "required": True},
                "server": {"type": "dict", "required": True},
            }
        )
        product = Product.load(arguments["name"], self._loader, self._templar, task_vars)
        engine_path = product.evaluate("mash_playbook_engine_path")
        renderer = Renderer(product.identifier, product.owner(), f"{role_path(product.name)}/templates", engine_path)
        files = [renderer.plain_file(file) for file in product.files() if file["path"] in arguments["paths"]]
        secrets = {file["path"]: file["content"] for file in files if file["secret"]}
        for file in files:
            if file.pop("secret"):
                del file["content"]
        answer = self._execute_module(
            module_name="selfhosting.lago.server_files",
            module_args={
                "files": files,
                "secrets": secrets,
                "lease": terms(task_vars["inventory_hostname"], arguments["server"]),
            },
            task_vars=task_vars,
        )
        if answer.get("failed"):
            raise AnsibleActionFail(answer.get("msg") or "server_files failed", result=answer)
        return {**result, "changed": bool(answer["files"]), "files": answer["files"]}
