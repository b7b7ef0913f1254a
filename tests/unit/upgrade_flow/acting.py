# SPDX-FileCopyrightText: 2026 The selfhosting.lago authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""In place of the plugins that touch a server: notes what would be done, and changes an invented server accordingly.

Copied over action plugins and modules of a copy of the collection. STATE is a file with the server's state, FAIL says
what is to fail: "v1.53.0 gate", "v1.53.0 converge", or the programs and operations of these names.
"""

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


def product(name, version, closed, before):
    fails = os.environ.get("FAIL", "").split()
    failing = name == "lago" and fails and fails[0] == version
    there = {"version": version} if name == "lago" and (not failing or fails[1] == "converge") else {}
    note = f"{name} {version}{' closed' if closed else ''}"
    change(f"{note} as before: {', '.join(before)}" if before else note, **there)
    where = {"phase": fails[1], "past_gate": fails[1] != "gate"} if failing else {}
    return {"failed": True, "msg": "it broke", **where} if failing else {}


def failure(name):
    return {"failed": True, "msg": "it broke"} if name in os.environ.get("FAIL", "").split() else {}


def program(name):
    records = dict(state()["records"])
    if name.endswith("-verify"):
        records["mash-backup-verified"] = {"snapshot": "0123456789abcdef", "backup_time": 1, "tried": 2}
    change(name, records=records)
    return {"lines": [], **failure(name)}


def written(files):
    for file in files:
        name = os.path.basename(file["path"]).removesuffix(".json")
        change("note", records={**state()["records"], name: json.loads(file["content"])})
    return {"files": []}


def asked(plugin, arguments, variable):
    """What the plugin of this name answers; `variable` resolves one."""
    if plugin in ("server_files", "server_units", "program"):
        assert arguments.get("lease") or arguments.get("exclusive"), f"{plugin} lets other runs change the server"
    if plugin == "server_probe":
        return {"server": {**state()["server"], "records": state()["records"], "lago": lago()}}
    if plugin == "product":
        before = (arguments.get("stored") or {}).get("paths")
        return product(arguments["name"], str(variable("lago_version")), variable("lago_ingest_closed"), before)
    if plugin == "product_files":
        change("closed" if variable("lago_ingest_closed") else "opened")
        return {}
    if plugin == "program":
        return program(arguments["program"])
    if plugin == "upgrade_tasks":
        change(" ".join(task["name"] for task in arguments["tasks"]))
        return {}
    if plugin == "server_files":
        return written(arguments["files"])
    if plugin == "server_units":
        change(arguments["operation"])
        return {"units": {}, **failure(arguments["operation"])}
    if plugin == "run_end":
        change(f"run {arguments.get('outcome', 'done')}")
        return {}
    if plugin == "lago_running":
        nothing = {"landmarks": [], "invalid_indexes": ["public.half"]}
        return {
            "images": {"mash-lago-api": "image"},
            "image_ids": {"mash-lago-api": "sha256:1"},
            "schema": "1",
            **nothing,
        }
    raise KeyError(plugin)


def lago():
    return {"version": state()["version"], "schema": [], "environment": {}}
