# SPDX-FileCopyrightText: 2026 The selfhosting.lago authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""See what a compose project is, and what it becomes here; until the end of the run that counts as if in vars.yml."""

from __future__ import annotations

import os

from ansible.plugins.action import ActionBase
from ansible_collections.selfhosting.lago.plugins.plugin_utils import adoption, moving
from ansible_collections.selfhosting.lago.plugins.plugin_utils.keys import ENCRYPTION, KEYS
from ansible_collections.selfhosting.lago.plugins.plugin_utils.specification import options_of

MODULES = "selfhosting.lago"


class ActionModule(ActionBase):
    supports_check_mode = True

    def run(self, tmp=None, task_vars=None):
        result = super().run(tmp, task_vars)
        self._task_vars = task_vars
        _valid, arguments = self.validate_argument_spec(
            argument_spec={
                "directory": {"type": "str", "required": True},
                "target_path": {"type": "path", "required": True},
                "record_path": {"type": "path", "required": True},
                "unit": {"type": "str", "required": True},
                "variables_path": {"type": "path", "required": True},
                "worker_kinds": {"type": "dict", "required": True},
            }
        )
        path, kinds = arguments.pop("variables_path"), arguments.pop("worker_kinds")
        if not arguments["directory"].startswith("/"):
            told = (
                f"adopt_directory is {arguments['directory']!r}. Name the project's directory on the server from / on."
            )
            return self.facts(result, {}, problems=[told])
        answer = self._execute_module(
            module_name=f"{MODULES}.compose_project", module_args=arguments, task_vars=task_vars
        )
        if answer.get("failed"):
            return self.facts(result, {}, problems=[answer.get("msg") or "compose_project failed"])
        project = answer["project"]
        if project["record"].get("state") == "done" and project["record"]["directory"] == project["directory"]:
            return self.facts(result, project, done=True)
        user = {"lago_hostname": self.value("lago_hostname"), "lago_workers": self.value("lago_workers")}
        user = {name: value for name, value in user.items() if value}
        found = adoption.adoption_of(project, options_of("lago"), user, kinds)
        found.problems += self.switched_off() + self.place(path)
        tables: dict = {}
        if not found.problems and not project["record"]:
            found.problems, tables = self.proof(project, found)
            problems, hints = moving.proven(tables)
            found.problems, found.hints = found.problems + problems, found.hints + hints
        announced = [] if found.problems else moving.announced(project, found, self.value("postgres_version"))
        values = {} if found.problems else {**found.variables, **found.passing}
        return self.facts(
            result, project, values, problems=found.problems, hints=found.hints, announced=announced,
            text=found.text(project["directory"]), path=path, tables=tables,
        )  # fmt: skip

    @staticmethod
    def facts(result: dict, project: dict, values: dict | None = None, **told) -> dict:
        project = project or {"containers": {}}
        adopted = {
            "project": project,
            "done": False,
            "problems": [],
            "hints": [],
            "announced": [],
            "tables": {},
            **told,
        }
        return {**result, "changed": False, "ansible_facts": {**(values or {}), "selfhosting_adopt": adopted}}

    def value(self, name: str):
        return self._templar.resolve_variable_expression(name)

    def switched_off(self) -> list[str]:
        return [
            f"{name} is {self.value(name)}, and what the project holds moves there. Set it to true."
            for name in ("lago_enabled", "postgres_enabled", "valkey_enabled")
            if str(self.value(name)).lower() != "true"
        ]

    def place(self, path: str) -> list[str]:
        """Ansible reads a directory of a host's variables, or one file, and not both."""
        directory = os.path.dirname(path)
        both = [directory + ending for ending in (".yml", ".yaml", ".json") if os.path.isfile(directory + ending)]
        if both and not os.path.isdir(directory):
            return [f"{both[0]}: move it to {directory}/vars.yml, so that what is adopted can stand beside it."]
        return []

    def proof(self, project: dict, found: adoption.Adoption) -> tuple[list[str], dict]:
        """The keys, proven by decrypting what is stored, with Lago's own code in a container of the image that runs."""
        name = project["processes"]["api"][0]
        keys = {key: found.variables[KEYS[key][0]] for key in KEYS}
        environment = {**project["containers"][name]["environment"], "LAGO_RSA_PRIVATE_KEY": keys["rsa_private_key"]}
        configured = {key.removeprefix("encryption_"): keys[key] for key in ENCRYPTION}
        answer = self._execute_module(
            module_name=f"{MODULES}.lago_keys",
            module_args={"container": name, "environment": environment, "candidates": {"configured": configured}},
            task_vars=self._task_vars,
        )
        if answer.get("failed"):
            return [answer.get("msg") or "lago_keys failed"], {}
        return [], answer["tables"]
