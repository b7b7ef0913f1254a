# SPDX-FileCopyrightText: 2026 The selfhosting.lago authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Writes down what a run would do on a server, in place of a server."""

from __future__ import annotations

import json
import os
import sys

from ansible.plugins.action import ActionBase
from ansible.plugins.callback import CallbackBase

DOCUMENTATION = r"""
name: recorder
type: aggregate
short_description: No module is carried out; each call is noted
description:
  - Answers the probe with the JSON file that the environment variable C(RECORDER_SERVER) names, and appends every call
    of a module as one line of JSON to the file C(RECORDER_CALLS). Tasks run in copies of this process, so what is
    replaced here is replaced in all of them.
author: The selfhosting.lago authors
"""

ACTIONS = "ansible_collections.selfhosting.lago.plugins.action."


def answer(action, module_name=None, module_args=None, **_):
    name = (module_name or action._task.action).rpartition(".")[2]
    arguments = module_args if module_args is not None else action._task.args
    code = [module.__file__ for name, module in sys.modules.items() if name.startswith(ACTIONS)]
    # The lease names the run; whether it may be taken, servers show.
    arguments = {option: value for option, value in arguments.items() if option != "lease"}
    call = {"module": name, "arguments": arguments, "code": code}
    with open(os.environ["RECORDER_CALLS"], "a", encoding="utf-8") as file:
        file.write(json.dumps(call, sort_keys=True) + "\n")
    if name == "server_probe":
        with open(os.environ["RECORDER_SERVER"], encoding="utf-8") as file:
            return {"changed": False, "server": json.load(file)}
    if name == "server_removal":
        found = {kind: arguments.get(kind, []) for kind in ("networks", "images", "files", "data")}
        return {"changed": True, **found, "units": {unit: {} for unit in arguments["units"]}}
    if name == "server_images":
        return {"changed": True, "done": [image["reference"] for image in arguments["images"]], "pending": {}}
    if name == "server_run_end":
        return {"changed": True, "images": []}
    return {"changed": True, "units": {}}


class CallbackModule(CallbackBase):
    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "aggregate"
    CALLBACK_NAME = "recorder"
    CALLBACK_NEEDS_ENABLED = True

    def __init__(self):
        super().__init__()
        ActionBase._execute_module = answer
