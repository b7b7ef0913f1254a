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
from ansible_collections.selfhosting.lago.plugins.plugin_utils.definition import DefinitionError
from ansible_collections.selfhosting.lago.plugins.plugin_utils.key_check import NotTried, key_problems
from ansible_collections.selfhosting.lago.plugins.plugin_utils.keys import ENCRYPTION
from ansible_collections.selfhosting.lago.plugins.plugin_utils.kinds import hostname
from ansible_collections.selfhosting.lago.plugins.plugin_utils.known_variables import unknown_variables, without_effect
from ansible_collections.selfhosting.lago.plugins.plugin_utils.product import Product
from ansible_collections.selfhosting.lago.plugins.plugin_utils.takeover import (
    password_warnings,
    sharing_problems,
)


class ActionModule(ActionBase):
    supports_check_mode = True

    def run(self, tmp=None, task_vars=None):
        result = super().run(tmp, task_vars)
        self._task_vars = task_vars
        _valid, arguments = self.validate_argument_spec(
            argument_spec={
                "products": {"type": "list", "elements": "str", "required": True},
                "server": {"type": "dict", "required": True},
                "neighbours": {"type": "list", "elements": "str", "default": []},
                "neighbour_problems": {"type": "list", "elements": "str", "default": []},
                "takes_over": {"type": "bool", "default": False},
            }
        )
        products = self.products(arguments["products"], task_vars)
        unknown, remarks = self.names(task_vars)
        found = [*unknown, *self.problems(products, task_vars)]
        problems = [str(problem) for problem in found if not problem.warning] + arguments["neighbour_problems"]
        hints = [*remarks, *(str(problem) for problem in found if problem.warning)]
        if arguments["takes_over"]:
            former, warnings = self.former(products, arguments, bool(problems))
            problems, hints = problems + former, hints + warnings
        return {**result, "changed": False, "problems": problems, "hints": hints}

    def products(self, wanted: list[str], task_vars: dict) -> dict[str, Product]:
        base = Product.load("base", self._loader, self._templar, task_vars)
        variables = {**task_vars, "selfhosting_resolved": self.resolved(base)}
        return {name: Product.load(name, self._loader, self._templar, variables) for name in ["base", *wanted]}

    def names(self, task_vars: dict) -> tuple[list[Problem], list[str]]:
        own = self._templar.resolve_variable_expression("mash_playbook_known_variables") or []
        unknown, remarks = unknown_variables(task_vars, own)
        return unknown, remarks + without_effect(task_vars)

    def problems(self, products: dict[str, Product], task_vars: dict) -> list[Problem]:
        in_use = products["base"].evaluate("selfhosting_secrets_in_use")
        misfits, failed = [], []
        for product in products.values():
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

    def former(self, products: dict[str, Product], arguments: dict, faulty: bool) -> tuple[list[str], list[str]]:
        """Problems and warnings about what another playbook left on the server."""
        server, lago = arguments["server"], products["lago"]
        try:
            if not products["base"].evaluate("selfhosting_former_units"):
                return [], []
            problems = sharing_problems(products, server["foreign"], self.claimed(arguments["neighbours"]))
            if not (lago.enabled and server["lago"]["environment"]):
                return problems, []
            wrong, warnings = key_problems(lago, server["lago"]["environment"], self.tried)
            return problems + wrong, warnings + password_warnings(lago)
        except (AnsibleError, DefinitionError):
            if faulty:
                # The value that is wrong has been named; what is left of MASH comes after its correction.
                return [], []
            raise

    def claimed(self, neighbours: list[str]) -> set[str]:
        """Units of the inventory's other hosts that are this server."""
        own = self._task_vars["inventory_hostname"]
        hosts = [self._task_vars["hostvars"][name] for name in neighbours if name != own]
        return {unit for host in hosts for unit in host.get("selfhosting_claims", {}).get("units", [])}

    def tried(self, sets: dict, path: str) -> dict:
        """What each set of keys decrypts, asked on the server."""
        names_ = {name: name.removeprefix("encryption_") for name in ENCRYPTION}
        answer = self._execute_module(
            module_name="selfhosting.lago.lago_keys",
            module_args={
                "container": self._templar.resolve_variable_expression("lago_api_identifier"),
                "environment_path": path,
                "candidates": {
                    source: {short: values[name] for name, short in names_.items()} for source, values in sets.items()
                },
            },
            task_vars=self._task_vars,
        )
        if answer.get("failed"):
            raise NotTried(answer.get("msg") or "lago_keys failed")
        return answer["tables"]
