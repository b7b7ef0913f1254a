# SPDX-FileCopyrightText: 2026 The selfhosting.lago authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""In place of what touches a server: notes what would be done. STATE is a file with the server's state."""

import json
import os

STATE = os.environ["STATE"]


def state():
    with open(STATE, encoding="utf-8") as file:
        return json.load(file)


def change(note, **values):
    now = {**state(), **values}
    now["log"].append(note)
    with open(STATE, "w", encoding="utf-8") as file:
        json.dump(now, file)


def asked(plugin, arguments, variable):
    """What the plugin of this name answers; `variable` resolves one."""
    if plugin == "server_probe":
        change(f"probe without {','.join(sorted(arguments['leaving']))}" if arguments["leaving"] else "probe")
        return {"server": {**state()["server"], "records": {"mash-lago-adopted": state()["record"]}}}
    if plugin == "product":
        images = " images" if arguments.get("images_only") else ""
        key = variable("lago_api_environment_variable_secret_key_base")
        change(f"{arguments['name']} {variable('lago_version')} {key}{images}")
        return {}
    if plugin == "adopt_move":
        change("move", record={**state()["record"], "directory": "/opt/lago", "state": "moved"})
        return {}
    if plugin == "run_end":
        change("run end")
        return {}
    if plugin == "compose_project":
        return {"project": {**state()["project"], "record": state()["record"]}}
    if plugin == "lago_keys":
        return {"tables": {"payment_providers": {"rows": 1, "live": 1, "configured": 1}}}
    if plugin == "server_files":
        (file,) = arguments["files"]
        change("record", record=json.loads(file["content"]))
        return {}
    raise KeyError(plugin)
