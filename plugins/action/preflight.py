# SPDX-FileCopyrightText: 2026 The selfhosting.lago authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Check the values of all enabled products and the server, and report all problems together."""

from __future__ import annotations

from ansible import constants as C
from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase
from ansible.utils.display import Display
from ansible_collections.selfhosting.lago.plugins.plugin_utils.checks import (
    misfits_of,
    problems_of,
    together,
)
from ansible_collections.selfhosting.lago.plugins.plugin_utils.known_variables import unknown_variables, without_effect
from ansible_collections.selfhosting.lago.plugins.plugin_utils.product import Product

display = Display()


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
        misfits, failed = [], []
        for name in ["base", *arguments["products"]]:
            product = Product.load(name, self._loader, self._templar, task_vars)
            misfits += misfits_of(product, task_vars)
            if product.enabled:
                failed += problems_of(product)
        own = self._templar.resolve_variable_expression("mash_playbook_known_variables") or []
        unknown, remarks = unknown_variables(task_vars, own)
        host = task_vars["inventory_hostname"]
        for remark in remarks + without_effect(task_vars):
            display.display(f"{host}: {remark}", color=C.COLOR_WARN)
        problems = [*unknown, *together(misfits, failed), *arguments["neighbour_problems"]]
        if problems:
            listed = "\n".join(f"  {number}. {problem}" for number, problem in enumerate(problems, 1))
            raise AnsibleActionFail(
                f"{host}: nothing was changed; {len(problems)} to correct first:\n{listed}",
                result={**result, "problems": [str(problem) for problem in problems]},
            )
        return {**result, "changed": False, "problems": []}
