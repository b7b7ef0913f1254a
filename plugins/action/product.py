# SPDX-FileCopyrightText: 2026 The selfhosting.lago authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Bring one product to what vars.yml describes: probe, stage, gate, swap, converge."""

from __future__ import annotations

import sys
import time

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase
from ansible.utils.display import Display
from ansible_collections.selfhosting.lago.plugins.plugin_utils.definition import DefinitionError
from ansible_collections.selfhosting.lago.plugins.plugin_utils.lease import terms
from ansible_collections.selfhosting.lago.plugins.plugin_utils.plan import NEVER_RAN, Plan, announced_wait, make_plan
from ansible_collections.selfhosting.lago.plugins.plugin_utils.product import Product, role_path
from ansible_collections.selfhosting.lago.plugins.plugin_utils.progress import far, remaining
from ansible_collections.selfhosting.lago.plugins.plugin_utils.render import Renderer

display = Display()
MODULES = "selfhosting.lago"
# Seconds between two lines of progress while images are pulled.
PULL_PATIENCE = 10
# While a step runs that may take long, such as a migration.
STEP_PATIENCE = 10
# And while a worker finishes what waits for it.
WORK_PATIENCE = 10
# Phases in which what is installed and running is still that of before.
BEFORE_THE_SWAP = ("stage", "gate")


class ActionModule(ActionBase):
    supports_check_mode = True
    supports_diff = True

    def __init__(self, *arguments, **options):
        super().__init__(*arguments, **options)
        self._warnings: list = []

    def run(self, tmp=None, task_vars=None):
        result = super().run(tmp, task_vars)
        self._task_vars = task_vars
        _valid, arguments = self.validate_argument_spec(
            argument_spec={
                "name": {"type": "str", "required": True},
                "server": {"type": "dict", "required": True},
                "stored": {"type": "dict", "default": {}},
                "images_only": {"type": "bool", "default": False},
            }
        )
        self._lease = terms(task_vars["inventory_hostname"], arguments["server"])
        try:
            product = Product.load(arguments["name"], self._loader, self._templar, task_vars)
            plan = self.plan(product, arguments["server"], arguments["stored"])
        except DefinitionError as error:
            raise AnsibleActionFail(f"{arguments['name']}: {error}") from error
        if arguments["images_only"]:
            return {**result, "changed": bool(plan.images), "images": self.images(plan.images)}
        if self._task.check_mode:
            for host in task_vars.get("selfhosting_earlier", []):
                for changes in task_vars["hostvars"][host].get("selfhosting_done", []):
                    plan.leave_out(changes)
        if plan.empty:
            return {**result, "changed": False, "changes": plan.changes, "ansible_facts": self.notices(product)}
        self.announce(plan)
        if self._task.check_mode:
            diff = self.files(plan.stage_files + plan.swap_files).get("diff", []) if self._task.diff else []
            done = {"changes": plan.changes, "diff": diff}
        else:
            done = self.carried_out(plan)
        facts = {
            **self.notices(product, first=any(step.reason == NEVER_RAN for step in plan.gates)),
            "selfhosting_server_changed": True,
            "selfhosting_done": [*task_vars.get("selfhosting_done", []), done["changes"]],
        }
        warnings = {"warnings": self._warnings} if self._warnings else {}
        return {**result, "changed": True, **done, **warnings, "ansible_facts": facts}

    def plan(self, product: Product, server: dict, stored: dict) -> Plan:
        if not product.enabled:
            return Plan()
        engine_path = product.evaluate("mash_playbook_engine_path")
        renderer = Renderer(product.identifier, product.owner(), f"{role_path(product.name)}/templates", engine_path)
        return make_plan(product, renderer, server, product.evaluate("selfhosting_digest_key"), stored)

    def announce(self, plan: Plan) -> None:
        host = self._task_vars["inventory_hostname"]
        for unit, change in sorted(plan.changes["units"].items()):
            reasons = f": {'; '.join(change['reasons'])}" if change["reasons"] else ""
            display.display(f"{host}: will {change['action']} {unit}{reasons}")
            if change["action"] == "restart" and (waits := announced_wait(unit, plan.order)):
                display.display(f"{host}: {waits}")
        for path, reason in plan.absent.items():
            display.display(f"{host}: will remove {path}: {reason}")

    def notices(self, product: Product, first: bool = False) -> dict:
        """What a user has to know once the run is over; M(selfhosting.lago.closing) says it."""
        if not product.enabled or self._task.check_mode:
            return {}
        notices = [notice for notice in product.value("notices", []) if notice["when"]]
        texts = [notice["text"] for notice in notices if first or notice["every_run"]]
        return {"selfhosting_notices": [*self._task_vars.get("selfhosting_notices", []), *texts]} if texts else {}

    def carried_out(self, plan: Plan) -> dict:
        """The same; a failure says in which phase it happened, and so whether anything that runs has changed."""
        try:
            return self.carry_out(plan)
        except AnsibleActionFail as error:
            where = {"phase": self._phase, "past_gate": self._phase not in BEFORE_THE_SWAP}
            raise AnsibleActionFail(error.message, result={**(error.result or {}), **where}) from error

    def carry_out(self, plan: Plan) -> dict:
        changes = Plan().changes
        diff = []
        self._phase = "stage"
        changes["images"] = self.images(plan.images)
        staged = self.files(plan.stage_files, networks=plan.networks, directories=plan.directories)
        self._phase = "gate"
        for step in plan.gates:
            changes["units"].update(self.step(step))
        self._phase = "swap"
        swapped = self.files(plan.swap_files, absent=list(plan.absent))
        for answer in (staged, swapped):
            for key in ("networks", "directories", "files"):
                changes[key] = sorted(changes[key] + answer.get(key, []))
            diff += answer.get("diff", [])
        # What nothing asks for any more goes first, but for what still has work that others no longer send it.
        obsolete = [unit for unit in plan.obsolete if unit not in plan.leftovers]
        if obsolete:
            changes["units"].update(self.module("server_removal", units=obsolete)["units"])
        changes["files"] = sorted(changes["files"] + swapped.get("removed", []))
        self._phase = "converge"
        if plan.units:
            steps = [self.step_arguments(step) for step in plan.swaps]
            changes["units"].update(self.units("converge", plan.all_units, order=plan.order, steps=steps))
        else:
            for step in plan.swaps:
                changes["units"].update(self.step(step))
        if plan.leftovers:
            self._phase = "leftovers"
            self.wait_for_leftovers(plan)
            changes["units"].update(self.module("server_removal", units=sorted(plan.leftovers))["units"])
            self._phase = "converge"
        if plan.restarts:
            changes["units"].update(self.units("restart", plan.restarts, order=plan.order))
        for step in plan.after:
            changes["units"].update(self.step(step))
        return {"changes": changes, "diff": diff}

    def module(self, name: str, **arguments) -> dict:
        arguments["lease"] = self._lease
        answer = self._execute_module(module_name=f"{MODULES}.{name}", module_args=arguments, task_vars=self._task_vars)
        if answer.get("failed"):
            raise AnsibleActionFail(answer.get("msg") or f"{name} failed", result=answer)
        self._warnings += answer.get("warnings", [])
        return answer

    def files(self, files: list, **arguments) -> dict:
        if not files and not any(arguments.values()):
            return {}
        secrets = {file["path"]: file["content"] for file in files if file["secret"] and not file.get("source")}
        elsewhere = {file["path"] for file in files if file["secret"] or file.get("source")}
        files = [
            {
                key: value
                for key, value in file.items()
                if key != "secret" and not (key == "content" and file["path"] in elsewhere)
            }
            for file in files
        ]
        return self.module("server_files", files=files, secrets=secrets, **arguments)

    def images(self, images: list) -> list[str]:
        """Pull and build, with a line of progress every few seconds where somebody watches."""
        host = self._task_vars["inventory_hostname"]
        missing, began = images, time.monotonic()
        while missing:
            pending = self.module("server_images", images=missing, patience=PULL_PATIENCE)["pending"]
            # What is not pending is there, also what arrived between two calls.
            for image in missing:
                if image["reference"] not in pending:
                    display.display(f"{host}: has {image['reference']}")
            missing = [image for image in missing if image["reference"] in pending]
            for reference, line in pending.items():
                there = f"{len(images) - len(missing)} of {len(images)} done"
                if sys.stdout.isatty():
                    so_far = remaining(time.monotonic() - began, len(images) - len(missing), len(images))
                    display.display(f"{host}: getting {reference} ({there}, {so_far}) {line}".rstrip())
        return sorted(image["reference"] for image in images)

    def wait_for_leftovers(self, plan: Plan) -> None:
        """Until no work waits for what is to be removed, with a line of progress every few seconds."""
        host = self._task_vars["inventory_hostname"]
        deadline = time.monotonic() + plan.leftovers_limit
        while waiting := self.waiting(plan):
            if time.monotonic() > deadline:
                listed = "\n".join(f"  {unit}: {what}" for unit, what in sorted(waiting.items()))
                raise AnsibleActionFail(
                    f"{host}: work is left after {plan.leftovers_limit} s:\n{listed}\n"
                    "These units go on running, and nothing new is sent to them; the next run removes them."
                )
            for unit, what in sorted(waiting.items()):
                display.display(f"{host}: {unit} finishes before it is removed: {what}")

    def waiting(self, plan: Plan) -> dict:
        return self.module(
            "server_units", operation="waiting", units={}, leftovers=plan.leftovers, patience=WORK_PATIENCE
        )["waiting"]

    def units(self, operation: str, units: dict, **arguments) -> dict:
        return self.module("server_units", operation=operation, units=units, **arguments)["units"]

    @staticmethod
    def step_arguments(step) -> dict:
        return {"unit": step.unit, "record": {**step.record, "image": step.image}, "borrow": step.borrow}

    def step(self, step) -> dict:
        """To its end, with a line of progress every few seconds where somebody watches."""
        host, began, begun = self._task_vars["inventory_hostname"], time.monotonic(), {}
        asked = {"operation": "step", "units": {step.unit: step.image}, "steps": [self.step_arguments(step)]}
        while True:
            answer = self.module("server_units", **asked, patience=STEP_PATIENCE, begun=begun)
            begun = answer.get("begun")
            if not begun:
                return answer["units"]
            if sys.stdout.isatty():
                so_far = far(step.progress, answer["said"], time.monotonic() - began)
                display.display(f"{host}: {step.unit}: {so_far}")
