# SPDX-FileCopyrightText: 2026 The selfhosting.lago authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Writes down what every run announced or did, so that tests can compare a check with the run that followed it."""

from __future__ import annotations

import contextlib
import json
import os
from pathlib import Path

from ansible import context
from ansible.plugins.callback import CallbackBase

DOCUMENTATION = r"""
name: changes
type: aggregate
short_description: One JSON file for each run of the product's playbook
description:
  - C(NNN.json) in the directory named by the environment variable C(CHANGES_DIRECTORY), with the mode of the run and
    for each host what the product's actions announced or did and which units ran before.
author: The selfhosting.lago authors
"""

PROBE = "selfhosting.lago.server_probe"
ACTIONS = ("selfhosting.lago.product", "selfhosting.lago.services", "selfhosting.lago.removal")


class CallbackModule(CallbackBase):
    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "aggregate"
    CALLBACK_NAME = "changes"
    CALLBACK_NEEDS_ENABLED = True

    def __init__(self):
        super().__init__()
        self.hosts: dict[str, dict] = {}

    def v2_runner_on_ok(self, result):
        task, answer = result.task.action, result.result
        if task == PROBE:
            units = answer["server"]["units"].items()
            # What a timer starts has run to its end again, whatever a run of the playbook does.
            self._host(result)["invocations"] = {
                name: unit.get("invocation", "") if unit["active"] else "" for name, unit in units
            }
        elif task in ACTIONS:
            changes = self._host(result)["changes"]
            for kind, changed in answer["changes"].items():
                if kind == "units":
                    changes[kind].update({unit: change["action"] for unit, change in changed.items()})
                # What only a removal has to say is no difference of a run that removed nothing.
                elif changed or kind in changes:
                    changes[kind] = sorted({*changes.get(kind, []), *changed})
        # The test bed's own playbooks never look at a server.
        if answer.get("changed") and result.host.get_name() in self.hosts:
            self._host(result)["tasks"].append(result.task.get_name())

    def v2_playbook_on_stats(self, stats):
        if not self.hosts:
            return
        directory = Path(os.environ["CHANGES_DIRECTORY"])
        directory.mkdir(parents=True, exist_ok=True)
        run = {"check": context.CLIARGS["check"], "hosts": self.hosts}
        whole = directory / f".{os.getpid()}"
        whole.write_text(json.dumps(run, indent=2))
        # Runs on several servers may end at the same time: the name is taken once, by a file that is whole.
        for number in range(len(list(directory.glob("*.json"))), 1000):
            with contextlib.suppress(FileExistsError):
                os.link(whole, directory / f"{number:03}.json")
                break
        whole.unlink()

    def _host(self, result) -> dict:
        empty = {"networks": [], "images": [], "directories": [], "files": [], "units": {}}
        return self.hosts.setdefault(result.host.get_name(), {"changes": empty, "tasks": [], "invocations": {}})
