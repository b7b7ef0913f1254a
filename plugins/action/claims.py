# SPDX-FileCopyrightText: 2026 The selfhosting.lago authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Say what a host owns on its server."""

from __future__ import annotations

from ansible.errors import AnsibleError
from ansible.plugins.action import ActionBase
from ansible_collections.selfhosting.lago.plugins.plugin_utils.definition import DefinitionError
from ansible_collections.selfhosting.lago.plugins.plugin_utils.neighbours import (
    claims_of,
    connections_of,
    named_networks,
)
from ansible_collections.selfhosting.lago.plugins.plugin_utils.product import Product


class ActionModule(ActionBase):
    supports_check_mode = True

    def run(self, tmp=None, task_vars=None):
        result = super().run(tmp, task_vars)
        _valid, arguments = self.validate_argument_spec(
            argument_spec={"products": {"type": "list", "elements": "str", "required": True}}
        )
        try:
            products = [Product.load(name, self._loader, self._templar, task_vars) for name in arguments["products"]]
            claims = claims_of(products)
            enabled = [product for product in products if product.enabled]
            claims["connections"] = [connection for product in enabled for connection in connections_of(product)]
            claims["named_networks"] = {
                network: variable for product in enabled for network, variable in named_networks(product).items()
            }
        except (AnsibleError, DefinitionError):
            # A value is wrong or missing; the preflight says which one.
            claims = {**claims_of([]), "connections": [], "named_networks": {}}
        claims["docker"] = self._templar.resolve_variable_expression("selfhosting_docker_installation")
        return {**result, "changed": False, "ansible_facts": {"selfhosting_claims": claims}}
