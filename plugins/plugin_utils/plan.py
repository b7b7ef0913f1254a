# SPDX-FileCopyrightText: 2026 The selfhosting.lago authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""What a run has to change on a server: the product's files and containers against what the probe saw.

Nothing here talks to the server; the same plan is announced in check mode and carried out otherwise.
"""

from __future__ import annotations

import dataclasses
import json
import typing as t

from ..module_utils.engine import CLAIMS, keyed_digest, normal_reference
from ..module_utils.starting import longest_wait
from .neighbours import claim_of, record_of
from .render import UNIT_DIRECTORY, Renderer

NEVER_RAN = "it has not succeeded on this server yet"


@dataclasses.dataclass
class Step:
    """A one-shot unit and what its success depends on."""

    unit: str
    image: str
    record: dict
    reason: str
    # Where its environment is, and from where which lines of it are taken while it runs; nothing for most.
    borrow: dict = dataclasses.field(default_factory=dict)
    # By which lines of its output one sees how far it is; nothing for most.
    progress: dict = dataclasses.field(default_factory=dict)


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
    # Files to remove, each with the reason.
    absent: dict[str, str] = dataclasses.field(default_factory=dict)
    obsolete: list[str] = dataclasses.field(default_factory=list)
    # Of the obsolete ones those that may have work left which nobody else does, with the command that says so.
    leftovers: dict[str, list[str]] = dataclasses.field(default_factory=dict)
    # Seconds to wait for them.
    leftovers_limit: int = 600
    units: dict[str, dict] = dataclasses.field(default_factory=dict)
    # Steps of the swap that running processes notice: right before these are restarted.
    swaps: list[Step] = dataclasses.field(default_factory=list)
    after: list[Step] = dataclasses.field(default_factory=list)
    # Those of them that would run on if nobody had asked for a restart, with the reference of their image.
    restarts: dict[str, str] = dataclasses.field(default_factory=dict)
    # All units of the product with the reference of their image, changed or not.
    all_units: dict[str, str] = dataclasses.field(default_factory=dict)
    # How they are restarted where several are: see order_of.
    order: dict[str, dict] = dataclasses.field(default_factory=dict)

    @property
    def absent_files(self) -> list[dict]:
        return [{"path": path} for path in self.absent]

    @property
    def changes(self) -> dict[str, t.Any]:
        """What is announced, and compared with what was done. Names only, no content."""
        return {
            "networks": sorted(network["name"] for network in self.networks),
            "images": sorted(image["reference"] for image in self.images),
            "directories": sorted(directory["path"] for directory in self.directories),
            "files": sorted(file["path"] for file in [*self.stage_files, *self.swap_files, *self.absent_files]),
            "units": {
                **{unit: {"action": "remove", "reasons": ["nothing asks for it any more"]} for unit in self.obsolete},
                **{step.unit: {"action": "run", "reasons": [step.reason]} for step in self.steps},
                **self.units,
            },
        }

    @property
    def steps(self) -> list[Step]:
        return self.gates + self.swaps + self.after

    @property
    def empty(self) -> bool:
        return not any(self.changes.values())

    def leave_out(self, announced: t.Mapping) -> None:
        """Without what another host of the same server has announced: by then it is there.

        Hosts have only the engine's own files in common, and these are the same.
        """
        self.networks = [one for one in self.networks if one["name"] not in announced.get("networks", [])]
        self.images = [one for one in self.images if one["reference"] not in announced.get("images", [])]
        self.directories = [one for one in self.directories if one["path"] not in announced.get("directories", [])]
        self.stage_files = [one for one in self.stage_files if one["path"] not in announced.get("files", [])]


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
    """The units that are started for an entry: a timer for what it triggers, nothing for a one-shot step."""
    if service["kind"] == "one-shot":
        return []
    return [f"{service['name']}.timer" if service["kind"] == "timer" else f"{service['name']}.service"]


def order_of(service: dict) -> dict[str, t.Any]:
    """What server_units has to know to restart it together with others; nothing for most."""
    order: dict[str, t.Any] = {"stop_rank": service["stop_rank"]} if service["stop_rank"] else {}
    if service["never_down"]:
        order["never_down"] = service["never_down"]
    return {**order, "pool": service["replica_of"]} if service["pool"] else order


def announced_wait(unit: str, order: t.Mapping) -> str:
    """What to say before a restart that may have to wait for its moment; empty where it needs none."""
    never_down = order.get(unit, {}).get("never_down")
    if not never_down:
        return ""
    minutes = " or ".join(map(str, never_down["minutes"]))
    return (
        f"will wait up to {longest_wait(never_down)} s before it restarts {unit}, if that would miss minute {minutes} "
        "of the hour"
    )


def step_record(service: dict, key: str) -> dict:
    """What a step's success depends on; secrets go in as one keyed checksum of all of them together."""
    inputs = json.dumps([service["command"], service["inputs"]])
    return {"image": service["image"], "inputs": keyed_digest(key, inputs.encode())}


def step_reason(record: dict, seen: dict | None, images: t.Mapping, database: str) -> str:
    """Why a step has to run; empty where it succeeded with the same inputs, database and image before."""
    if not seen:
        return NEVER_RAN
    if {key: seen.get(key) for key in record} != record:
        return "what it works with changed"
    if seen.get("database") != database:
        return "the database is another one"
    if seen.get("image_id") != images.get(normal_reference(record["image"])):
        return "its image is new"
    return ""


def make_plan(product: t.Any, renderer: Renderer, server: t.Mapping, key: str, stored: t.Mapping | None = None) -> Plan:
    """The plan of one enabled product for one server; `stored` as the module `product` has it."""
    services, programs, plan = product.services(), product.programs(), Plan()
    units_seen = server["units"]

    plan.networks = [
        {key: network[key] for key in ("name", "internal", "ipv6")}
        for network in product.networks()
        if network["name"] not in server["networks"]
    ]
    plan.images = _missing_images(services, server["images"])
    plan.directories = [
        directory
        for directory in _directories(product, renderer.engine_path)
        if differs(directory, server["files"].get(directory["path"]))
    ]
    files, staged = _files(product, services, programs, renderer)
    record = _record(product, services, renderer)
    files[record["path"]] = record
    staged.add(record["path"])
    before = _as_before(files, stored or {})
    changed = {
        path: file
        for path, file in files.items()
        if path not in before and differs(file, server["files"].get(path), keyed_digest(key, file["content"].encode()))
    }
    written = [*changed.values(), *before.values()]
    plan.stage_files = [file for file in written if file["path"] in staged]
    plan.swap_files = [file for file in written if file["path"] not in staged]

    plan.absent = {file["path"]: file["reason"] for file in product.absent() if file["path"] in server["files"]}

    wanted_units = {f"{entry['name']}.service" for entry in services + programs}
    for service in services:
        if service["kind"] == "one-shot" and service["phase"] != "manual":
            step = _step(service, server, key, product, f"{renderer.engine_path}/records/{service['name']}.json")
            if step:
                {"gate": plan.gates, "swap": plan.swaps, "after": plan.after}[service["phase"]].append(step)
    for entry in services + programs:
        for unit in unit_names(entry):
            wanted_units.add(unit)
            plan.all_units[unit] = entry["image"] if unit.endswith(".service") else ""
            if order_of(entry):
                plan.order[unit] = order_of(entry)
            change = unit_change(unit, units_seen.get(unit) or _former(unit, server), files, changed)
            if not change and entry["restart_necessary"]:
                change = {
                    "action": "restart",
                    "reasons": [f"a ..._restart_necessary variable of {product.name} says so"],
                }
                plan.restarts[unit] = plan.all_units[unit]
            if change:
                plan.units[unit] = change
                if entry.get("users_first") and change["action"] == "restart":
                    plan.units.update(users_changes(unit, units_seen))
    plan.obsolete = sorted(
        unit for unit, seen in units_seen.items() if seen["product"] == product.identifier and unit not in wanted_units
    )
    # A replica less leaves nothing behind: the others have the same queues.
    asked = [service["waiting"] for service in services]
    waiting = {unit: units_seen[unit].get("waiting") or [] for unit in plan.obsolete}
    plan.leftovers = {unit: command for unit, command in waiting.items() if command and command not in asked}
    plan.leftovers_limit = int(product.value("leftovers_limit", plan.leftovers_limit))
    return plan


def _missing_images(services: list[dict], images: t.Mapping) -> list[dict]:
    wanted = {service["image"]: service for service in services}
    return [
        {"reference": reference, "dockerfile": service["dockerfile"], "source": service["source"]}
        for reference, service in wanted.items()
        if normal_reference(reference) not in images
    ]


def _directories(product: t.Any, engine_path: str) -> list[dict]:
    owner = {name: str(value) for name, value in product.owner().items()}
    paths = (engine_path, f"{engine_path}/{CLAIMS}")
    found = [{"path": path, "mode": "0755", "owner": "root", "group": "root"} for path in paths]
    for entry in product.directories():
        named = {name: entry[name] or owner[name] for name in ("owner", "group")}
        found.append({"path": entry["path"], "mode": entry["mode"] or "0750", **named})
    return found


def _files(
    product: t.Any, services: list[dict], commands: list[dict], renderer: Renderer
) -> tuple[dict[str, dict], set[str]]:
    """All files by path, and the paths of those that no running or booting unit reads."""
    product_files = product.files()
    programs = renderer.programs(services)
    files = {file["path"]: file for file in [*programs, *map(renderer.plain_file, product_files)]}
    staged = {file["path"] for file in [*programs, *(entry for entry in product_files if entry["staged"])]}
    for service in services:
        for file in renderer.service_files(service, product_files):
            files[file["path"]] = file
            if service["phase"] in ("gate", "swap"):
                staged.add(file["path"])
    for command in commands:
        files.update({file["path"]: file for file in renderer.program_files(command)})
    return files, staged


def _as_before(files: t.Mapping[str, dict], stored: t.Mapping) -> dict[str, dict]:
    """Those that get what they had before. It stays on the server, which alone can say whether that differs."""
    return {
        path: {**files[path], "source": f"{stored['directory']}{path}"}
        for path in stored.get("paths", [])
        if path in files
    }


def _record(product: t.Any, services: list[dict], renderer: Renderer) -> dict:
    """What the product owns, for other inventory hosts of the server: see neighbours.py."""
    content = record_of(product.evaluate("inventory_hostname"), claim_of(product, services))
    path = f"{renderer.engine_path}/{CLAIMS}/{product.identifier}.json"
    return {"path": path, "content": content + "\n", "mode": "0644", "owner": "root", "group": "root", "secret": False}


def _step(service: dict, server: t.Mapping, key: str, product: t.Any, record_path: str) -> Step | None:
    """The step where it has to run."""
    record = step_record(service, key)
    seen = server["records"].get(service["name"])
    reason = step_reason(record, seen, server["images"], server["postgres_database"])
    if not reason:
        return None
    # On the first run there is a database only when the step runs: the server says then which one it is.
    record = {"path": record_path, "content": record, "data_path": product.evaluate("postgres_data_path")}
    borrow = (
        {**service["borrows"], "path": f"{service['path']}/{service['environment_name']}"} if service["borrows"] else {}
    )
    return Step(f"{service['name']}.service", service["image"], record, reason, borrow, service["progress"] or {})


def users_changes(unit: str, units_seen: t.Mapping) -> dict[str, dict]:
    """The workers that its own unit stops before a restart, and starts after it."""
    users = {name: units_seen.get(name, {}) for name in units_seen.get(unit, {}).get("needed_by", [])}
    return {
        name: {"action": "restart", "reasons": [f"{unit} restarts"]}
        for name, seen in users.items()
        if seen.get("quiet") and seen["active"]
    }


def _former(unit: str, server: t.Mapping) -> dict | None:
    """A unit of the same name that another playbook started, as if it were ours and out of date."""
    if not server["foreign"]["units"].get(unit, {}).get("active"):
        return None
    return {"active": True, "state": "", "enabled": True, "stale": ["another playbook started it"]}


def unit_change(unit: str, seen: dict | None, files: t.Mapping, changed: t.Mapping) -> dict | None:
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


def units_of(products: t.Iterable[t.Any], server: t.Mapping) -> list[str]:
    """The units on the server that belong to one of the products."""
    identifiers = {product.identifier for product in products}
    return sorted(unit for unit, seen in server["units"].items() if seen["product"] in identifiers)
