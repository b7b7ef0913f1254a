# SPDX-FileCopyrightText: 2026 The selfhosting.lago authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""What a run has to change on a server: the product's files and containers against what the probe saw.

Nothing here talks to the server; the same plan is announced in check mode and carried out otherwise.
"""

from __future__ import annotations

import dataclasses
import json
import typing as t

from ..module_utils.engine import keyed_digest, normal_reference
from .render import UNIT_DIRECTORY, Renderer


@dataclasses.dataclass
class Step:
    """A one-shot unit and what its success depends on."""

    unit: str
    image: str
    record: dict


@dataclasses.dataclass
class Plan:
    """Everything that differs, in the order in which it is changed."""

    networks: list[dict] = dataclasses.field(default_factory=list)
    images: list[dict] = dataclasses.field(default_factory=list)
    directories: list[dict] = dataclasses.field(default_factory=list)
    # Read by nothing that runs or starts at boot.
    stage_files: list[dict] = dataclasses.field(default_factory=list)
    gates: list[Step] = dataclasses.field(default_factory=list)
    swap_files: list[dict] = dataclasses.field(default_factory=list)
    obsolete: list[str] = dataclasses.field(default_factory=list)
    units: dict[str, dict] = dataclasses.field(default_factory=dict)
    after: list[Step] = dataclasses.field(default_factory=list)
    # All units of the product with the reference of their image, changed or not.
    all_units: dict[str, str] = dataclasses.field(default_factory=dict)

    @property
    def changes(self) -> dict[str, t.Any]:
        """What is announced, and compared with what was done. Names only, no content."""
        return {
            "networks": sorted(network["name"] for network in self.networks),
            "images": sorted(image["reference"] for image in self.images),
            "directories": sorted(directory["path"] for directory in self.directories),
            "files": sorted(file["path"] for file in self.stage_files + self.swap_files),
            "units": {
                **{unit: {"action": "remove", "reasons": ["nothing asks for it any more"]} for unit in self.obsolete},
                **{step.unit: {"action": "run", "reasons": []} for step in self.gates + self.after},
                **self.units,
            },
        }

    @property
    def empty(self) -> bool:
        return not any(self.changes.values())


def differs(entry: dict, seen: dict | None, digest: str | None = None) -> bool:
    """Whether a file or directory is not on the server as it should be."""
    if seen is None:
        return True
    if digest is not None and seen.get("digest") != digest:
        return True
    return (seen["mode"], seen["owner"], seen["group"]) != (
        entry["mode"].rjust(4, "0"),
        entry["owner"],
        entry["group"],
    )


def unit_names(service: dict) -> list[str]:
    """The units that are started for a container: a timer for what it triggers, nothing for a one-shot step."""
    if service["kind"] == "one-shot":
        return []
    return [f"{service['name']}.timer" if service["kind"] == "timer" else f"{service['name']}.service"]


def step_record(service: dict, key: str) -> dict:
    """What a step's success depends on; secrets go in as one keyed checksum of all of them together."""
    inputs = json.dumps([service["command"], service["inputs"]])
    return {"image": service["image"], "inputs": keyed_digest(key, inputs.encode())}


def is_recorded(record: dict, seen: dict | None, images: t.Mapping, database: str) -> bool:
    """Whether the step succeeded before: same database, same inputs, and the image that the reference names now."""
    if not seen or {key: seen.get(key) for key in record} != record or seen.get("database") != database:
        return False
    return seen.get("image_id") == images.get(normal_reference(record["image"]))


def make_plan(product: t.Any, renderer: Renderer, server: t.Mapping, key: str) -> Plan:
    """The plan of one enabled product for one server."""
    services, plan = product.services(), Plan()
    records_path = f"{renderer.engine_path}/records"
    owner = {key: str(value) for key, value in product.owner().items()}
    images, units_seen, files_seen = server["images"], server["units"], server["files"]

    plan.networks = [network for network in product.networks() if network["name"] not in server["networks"]]
    wanted_images = {service["image"]: service["dockerfile"] for service in services}
    plan.images = [
        {"reference": reference, "dockerfile": dockerfile}
        for reference, dockerfile in wanted_images.items()
        if normal_reference(reference) not in images
    ]
    directories = [{"path": renderer.engine_path, "mode": "0755", "owner": "root", "group": "root"}]
    for entry in product.directories():
        directory = {"path": entry["path"], "mode": entry["mode"] or "0750"}
        directories.append({**directory, **{key: entry[key] or owner[key] for key in ("owner", "group")}})
    for directory in directories:
        if differs(directory, files_seen.get(directory["path"])):
            plan.directories.append(directory)

    product_files = product.files()
    files = {file["path"]: file for file in [renderer.ready_program(), *map(renderer.plain_file, product_files)]}
    staged: set[str] = set()
    for service in services:
        for file in renderer.service_files(service, product_files):
            files[file["path"]] = file
            if service["phase"] == "gate":
                staged.add(file["path"])
    changed = {
        path: file
        for path, file in files.items()
        if differs(file, files_seen.get(path), keyed_digest(key, file["content"].encode()))
    }
    program = renderer.ready_program()["path"]
    plan.stage_files = [file for path, file in changed.items() if path in staged or path == program]
    plan.swap_files = [file for path, file in changed.items() if path not in staged and path != program]

    wanted_units = {f"{service['name']}.service" for service in services}
    for service in services:
        record_path = f"{records_path}/{service['name']}.json"
        if service["kind"] == "one-shot" and service["phase"] in ("gate", "after"):
            after, record = service["phase"] == "after", step_record(service, key)
            database = server["postgres_database"] if after else ""
            if not is_recorded(record, server["records"].get(service["name"]), images, database):
                # On the first run there is a database only when the step runs: the server says then which one it is.
                data_path = product.evaluate("postgres_data_path") if after else ""
                record = {"path": record_path, "content": record, "data_path": data_path}
                step = Step(f"{service['name']}.service", service["image"], record)
                (plan.after if after else plan.gates).append(step)
        for unit in unit_names(service):
            wanted_units.add(unit)
            plan.all_units[unit] = service["image"] if unit.endswith(".service") else ""
            change = unit_change(unit, service, units_seen.get(unit), files, changed)
            if change:
                plan.units[unit] = change
    plan.obsolete = sorted(
        unit for unit, seen in units_seen.items() if seen["product"] == product.identifier and unit not in wanted_units
    )
    return plan


def unit_change(unit: str, service: dict, seen: dict | None, files: t.Mapping, changed: t.Mapping) -> dict | None:
    """Start, restart with the reasons, enable, or nothing."""
    if not seen or not seen["active"]:
        return {"action": "start", "reasons": [f"it is {seen['state'] or 'not running'}" if seen else "it is new"]}
    unit_file = files.get(f"{UNIT_DIRECTORY}/{unit}")
    inputs = _inputs_of(unit_file["content"]) if unit_file else []
    reasons = [f"{path} changed" for path in changed if path in inputs]
    reasons += [reason for reason in seen["stale"] if reason not in reasons]
    if reasons:
        return {"action": "restart", "reasons": reasons}
    if not seen["enabled"]:
        return {"action": "enable", "reasons": ["it would not come up at boot"]}
    return None


def _inputs_of(unit_text: str) -> list[str]:
    """The files that a unit records before it makes its container."""
    for line in unit_text.splitlines():
        if "sha256sum " in line:
            return line.split("sha256sum ", 1)[1].split(" >", 1)[0].split()
    return []


def removal_plan(identifier: str, server: t.Mapping) -> Plan:
    """The plan of a product that is switched off: its units go, its data stays."""
    return Plan(obsolete=sorted(unit for unit, seen in server["units"].items() if seen["product"] == identifier))
