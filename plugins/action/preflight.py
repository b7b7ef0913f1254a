# SPDX-FileCopyrightText: 2026 The selfhosting.lago authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Find everything that is wrong with a host's values and its server; M(selfhosting.lago.verdict) tells it."""

from __future__ import annotations

from ansible.errors import AnsibleError
from ansible.plugins.action import ActionBase
from ansible_collections.selfhosting.lago.plugins.plugin_utils import names
from ansible_collections.selfhosting.lago.plugins.plugin_utils.checks import (
    Problem,
    misfits_of,
    problems_of,
    together,
)
from ansible_collections.selfhosting.lago.plugins.plugin_utils.kinds import hostname
from ansible_collections.selfhosting.lago.plugins.plugin_utils.known_variables import unknown_variables, without_effect
from ansible_collections.selfhosting.lago.plugins.plugin_utils.product import Product


class ActionModule(ActionBase):
    supports_check_mode = True

    def run(self, tmp=None, task_vars=None):
        result = super().run(tmp, task_vars)
        _valid, arguments = self.validate_argument_spec(
            argument_spec={
                "products": {"type": "list", "elements": "str", "required": True},
                "server": {"type": "dict", "required": True},
                "neighbour_problems": {"type": "list", "elements": "str", "default": []},
            }
        )
        found = self.problems(arguments["products"], task_vars)
        unknown, remarks = self.names(task_vars)
        return {
            **result,
            "changed": False,
            "problems": [
                *(str(problem) for problem in [*unknown, *found] if not problem.warning),
                *arguments["neighbour_problems"],
            ],
            "hints": [*remarks, *(str(problem) for problem in found if problem.warning)],
        }

    def names(self, task_vars: dict) -> tuple[list[Problem], list[str]]:
        own = self._templar.resolve_variable_expression("mash_playbook_known_variables") or []
        unknown, remarks = unknown_variables(task_vars, own)
        return unknown, remarks + without_effect(task_vars)

    def problems(self, products: list[str], task_vars: dict) -> list[Problem]:
        base = Product.load("base", self._loader, self._templar, task_vars)
        in_use = base.evaluate("selfhosting_secrets_in_use")
        variables = {**task_vars, "selfhosting_resolved": self.resolved(base)}
        misfits, failed = [], []
        for name in ["base", *products]:
            product = Product.load(name, self._loader, self._templar, variables)
            try:
                misfits += misfits_of(product, task_vars, in_use)
                failed += problems_of(product) if product.enabled else []
            except AnsibleError as error:
                failed.append(Problem(", ".join(sorted(product.switches)), f"cannot be evaluated: {error}"))
        return together(misfits, failed)

    def resolved(self, base: Product) -> dict:
        """What names stand for, as this machine sees it; nothing where that is switched off."""
        try:
            wanted = base.evaluate("selfhosting_names_to_resolve if mash_playbook_dns_check_enabled else []")
        except AnsibleError:
            # A value is wrong or missing; its own check says which one.
            return {}
        return {name: names.addresses_of(name) for name in wanted if isinstance(name, str) and hostname(name)}
