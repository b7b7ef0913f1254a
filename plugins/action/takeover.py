# SPDX-FileCopyrightText: 2026 The selfhosting.lago authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Stop before anything is changed where what another playbook left on the server cannot simply be taken over."""

from __future__ import annotations

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase
from ansible_collections.selfhosting.lago.plugins.module_utils.engine import keyed_digest
from ansible_collections.selfhosting.lago.plugins.plugin_utils.keys import (
    ENCRYPTION,
    KEYS,
    in_environment,
    is_weak,
    lines_for,
    older_secret,
    told,
    verdict,
)
from ansible_collections.selfhosting.lago.plugins.plugin_utils.product import Product
from ansible_collections.selfhosting.lago.plugins.plugin_utils.render import environment_lines
from ansible_collections.selfhosting.lago.plugins.plugin_utils.takeover import (
    offer,
    refusal_of_alpine_data,
    shared_parts,
)


class ActionModule(ActionBase):
    supports_check_mode = True

    def run(self, tmp=None, task_vars=None):
        result = super().run(tmp, task_vars)
        _valid, arguments = self.validate_argument_spec(
            argument_spec={
                "products": {"type": "list", "elements": "str", "required": True},
                "server": {"type": "dict", "required": True},
                "neighbours": {"type": "list", "elements": "str", "default": []},
            }
        )
        products = {name: Product.load(name, self._loader, self._templar, task_vars) for name in arguments["products"]}
        foreign = arguments["server"]["foreign"]
        parts = shared_parts(products.values(), foreign, self.claimed(arguments["neighbours"], task_vars))
        problems = [refusal_of_alpine_data(part, foreign) for part in parts if part.product.name == "postgres"]
        if any(part.users for part in parts) and not products["lago"].evaluate(
            "mash_playbook_takeover_shared_services | bool"
        ):
            problems.append(offer(parts, products["lago"]))
        problems = [problem for problem in problems if problem]
        if not problems:
            problems = self.keys(products["lago"], arguments["server"]["lago"], task_vars, result)
        if problems:
            host = task_vars["inventory_hostname"]
            raise AnsibleActionFail(
                f"{host}: nothing was changed.\n" + "\n".join(problems), result={**result, "problems": problems}
            )
        return {**result, "changed": False, "problems": []}

    @staticmethod
    def claimed(neighbours, task_vars) -> set[str]:
        """Units of the inventory's other hosts that are this server."""
        hosts = [task_vars["hostvars"][name] for name in neighbours if name != task_vars["inventory_hostname"]]
        return {unit for host in hosts for unit in host.get("selfhosting_claims", {}).get("units", [])}

    def keys(self, lago, live, task_vars, result) -> list[str]:
        """Whether what Lago has encrypted and signed on the server stays readable and valid."""
        if not (lago.enabled and live["environment"]):
            return []
        replace = set(lago.variable("lago_keys_to_replace"))
        environment = environment_lines(
            lago.variable("lago_api_environment"), lago.variable("lago_api_environment_variables_additional_variables")
        )
        digest_key, generic = lago.evaluate("selfhosting_digest_key"), lago.variable("mash_playbook_generic_secret_key")
        values = {name: in_environment(environment, name) for name in KEYS}
        older = {name: older_secret(generic, salt) for name, (_variable, _names, salt) in KEYS.items() if salt}

        def same(sets):
            """Names of the keys that are those of the server's environment."""
            found = {name: in_environment(live["environment"], name) for name in KEYS}
            return {name for name, value in sets.items() if found[name] == keyed_digest(digest_key, value.encode())}

        changed = KEYS.keys() - same(values) - replace
        is_older, path = same(older), lago.evaluate("lago_api_base_path ~ '/env'")
        problems = []
        if not replace >= set(ENCRYPTION):
            tried = self.tried(lago, {"configured": values, "older": older}, path, task_vars)
            source = verdict(tried, changed, is_older >= set(ENCRYPTION))
            if source:
                sets = ["live", "older"] if source == "mixed" else [source]
                problems += self.wrong_keys(tried, sets, path)
            elif any(counts["rows"] for counts in tried.values()):
                weak = [KEYS[name][0] for name in ENCRYPTION if is_weak(values[name])]
                result.setdefault("warnings", []).extend(
                    f"{name} is short or a placeholder: who has a copy of the database can read the payment providers' "
                    "credentials in it. It stays as it is, because what it encrypted could not be read without it."
                    for name in weak
                )
        signing = [name for name in ("secret_key_base", "rsa_private_key") if name in changed]
        if signing:
            problems.append(
                "Lago signs with other keys on the server than those of vars.yml; links, sessions and signed "
                "webhooks would become invalid. Put these lines into vars.yml, or the keys into lago_keys_to_replace:"
            )
            for name in signing:
                problems += [f"    {line}" for line in lines_for("older" if name in is_older else "live", [name], path)]
        return problems

    @staticmethod
    def wrong_keys(tried, sets, path) -> list[str]:
        problems = ["Lago's stored credentials need other encryption keys than those of vars.yml:", *told(tried)]
        if len(sets) > 1:
            problems.append("No set of keys reads all of them. Choose one; enter the others' credentials anew in Lago.")
        for source in sets:
            problems.append(
                "Lines for vars.yml, with MASH's older derivation:"
                if source == "older"
                else "Lines for vars.yml, as on the server:"
            )
            problems += [f"    {line}" for line in lines_for(source, ENCRYPTION, path)]
        return problems

    def tried(self, lago, sets, path, task_vars) -> dict:
        names = {name: name.removeprefix("encryption_") for name in ENCRYPTION}
        answer = self._execute_module(
            module_name="selfhosting.lago.lago_keys",
            module_args={
                "container": lago.variable("lago_api_identifier"),
                "environment_path": path,
                "candidates": {
                    source: {short: values[name] for name, short in names.items()} for source, values in sets.items()
                },
            },
            task_vars=task_vars,
        )
        if answer.get("failed"):
            raise AnsibleActionFail(answer.get("msg") or "lago_keys failed", result=answer)
        return answer["tables"]
