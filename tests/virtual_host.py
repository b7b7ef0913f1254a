# SPDX-FileCopyrightText: 2026 The selfhosting.lago authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""A host without a server: real inventory, roles and products, and an invented answer of the probe."""

from __future__ import annotations

import copy
import functools
import hashlib
import json
import shutil
from pathlib import Path
from types import SimpleNamespace

import yaml
from ansible.inventory.manager import InventoryManager
from ansible.parsing.dataloader import DataLoader
from ansible.playbook import Playbook
from ansible.template import Templar, trust_as_template
from ansible.vars.manager import VariableManager
from ansible_collections.selfhosting.lago.plugins.module_utils.engine import keyed_digest, normal_reference
from ansible_collections.selfhosting.lago.plugins.plugin_utils.neighbours import claim_of, record_of
from ansible_collections.selfhosting.lago.plugins.plugin_utils.plan import make_plan
from ansible_collections.selfhosting.lago.plugins.plugin_utils.product import Product, joined, product_files, role_path
from ansible_collections.selfhosting.lago.plugins.plugin_utils.render import Renderer

REPOSITORY = Path(__file__).resolve().parents[1]
INVENTORY = REPOSITORY / "tests" / "unit" / "inventory"
PRODUCTS = ("traefik", "postgres", "valkey", "lago", "backup")

SERVER = {
    "distribution": "debian",
    "like": "",
    "version": "12",
    "codename": "bookworm",
    "architecture": "amd64",
    "memory_kb": 8 * 1024 * 1024,
    "disk_free_bytes": 50 * 1024**3,
    "machine": "0123456789abcdef0123456789abcdef/01234567-89ab-cdef-0123-456789abcdef",
    "user": {"uid": "994", "gid": "993", "exists": True, "home": "/mash", "shell": "/sbin/nologin"},
    "container": "",
    "nesting": False,
    "selinux": "",
    "addresses": ["127.0.0.1", "203.0.113.10"],
    "clock_ahead_seconds": 0,
    "docker": {
        "installed": True,
        "kind": "docker",
        "state": "active",
        "running": True,
        "answers": True,
        "version": "20.10.24",
        "disk_free_bytes": 50 * 1024**3,
    },
    "images": {},
    "networks": [],
    "running_containers": [],
    "containers": {},
    "claims": {},
    "lease": {"serial": 0, "id": "", "who": "", "began": "", "alive": False},
    "units": {},
    "files": {},
    "records": {},
    "foreign": {"units": {}, "containers": {}, "databases": None, "entry_points": []},
    "lago": {
        "version": "",
        "schema": [],
        "environment": {},
        "has_users": None,
        "database": {"target": "", "url": ""},
    },
    "postgres_major": "",
    "postgres_database": "",
    "valkey_persistence": "",
    "listeners": [["0.0.0.0", "22/tcp", "process sshd"]],
    "time_synchronised": True,
    "python_apt": False,
    "python_docker": False,
    "programs": ["restic"],
}


def collection_copy(root):
    """A copy of the collection below a directory that finds itself there; for tests that put other plugins into it."""
    for name in ("playbooks", "plugins", "roles", "meta"):
        shutil.copytree(REPOSITORY / name, root / name, symlinks=True)
    for name in ("ansible.cfg", "galaxy.yml", "versions.yml"):
        shutil.copy(REPOSITORY / name, root / name)
    link = root / "collections" / "ansible_collections" / "selfhosting" / "lago"
    link.parent.mkdir(parents=True)
    link.symlink_to(root)
    return root


class Loader(DataLoader):
    """Reads each file once, and gives out what it has read without a copy."""

    def load_from_file(self, file_name, **options):
        return super().load_from_file(file_name, **{**options, "unsafe": True})


LOADER = Loader()


def product_data(role: str) -> dict:
    """All files of a product as one, as written."""
    directory = REPOSITORY / "roles" / role
    return joined(yaml.safe_load((directory / file).read_text()) for file in product_files(role))


def trusted(value):
    """As if it had been read from a vars.yml."""
    if isinstance(value, str):
        return trust_as_template(value)
    if isinstance(value, dict):
        return {key: trusted(item) for key, item in value.items()}
    if isinstance(value, list):
        return [trusted(item) for item in value]
    return value


def merged(base, changes):
    result = copy.deepcopy(base)
    for key, value in (changes or {}).items():
        inner = isinstance(value, dict) and isinstance(result.get(key), dict) and result[key]
        result[key] = merged(result[key], value) if inner else value
    return result


@functools.cache
def ansible_variables(name):
    """What Ansible gives to the tasks of playbooks/setup.yml for a host of the inventory."""
    inventory = InventoryManager(loader=LOADER, sources=[str(INVENTORY / "hosts")])
    manager = VariableManager(loader=LOADER, inventory=inventory)
    playbook = str(REPOSITORY / "playbooks" / "setup.yml")
    plays = Playbook.load(playbook, variable_manager=manager, loader=LOADER).get_plays()
    for play in plays:
        # Roles that tasks import belong to a play once it is compiled.
        play.compile()
    play = max(plays, key=lambda play: len(play.get_roles()))
    variables = manager.get_vars(play=play, host=inventory.get_host(name))
    return {**variables, "ansible_run_tags": ["all"]}


def settings(name):
    """What the user wrote for a host."""
    path = INVENTORY / "host_vars" / name / "vars.yml"
    return LOADER.load_from_file(str(path), trusted_as_template=True) if path.exists() else {}


class VirtualHost:
    def __init__(self, name="lago.example.com", change=None, unset=(), server=None):
        self.loader = LOADER
        self.server = merged(SERVER, server)
        user = {key: value for key, value in settings(name).items() if key not in unset}
        self.variables = {
            **ansible_variables("bare.example.com"),
            **user,
            **trusted(change or {}),
            "inventory_hostname": name,
            "selfhosting_probe": {"server": self.server},
        }

    @property
    def templar(self):
        return Templar(loader=self.loader, variables=self.variables)

    def evaluate(self, expression):
        return self.templar.evaluate_expression(trust_as_template(expression))

    @property
    def key(self):
        return self.evaluate("selfhosting_digest_key")

    def product(self, name):
        return Product.load(name, self.loader, self.templar, self.variables)

    def plan(self, name, server=None, stored=None):
        product = self.product(name)
        engine_path = product.evaluate("mash_playbook_engine_path")
        renderer = Renderer(product.identifier, product.owner(), f"{role_path(name)}/templates", engine_path)
        return make_plan(product, renderer, server or self.server, self.key, stored)

    def rendered(self, name):
        """Path to file, of a product on an empty server."""
        plan = self.plan(name, self.empty_server())
        return {file["path"]: file for file in plan.stage_files + plan.swap_files}

    def empty_server(self):
        nothing = {
            "files": {},
            "units": {},
            "networks": [],
            "containers": {},
            "claims": {},
            "images": {},
            "records": {},
        }
        return {**self.server, **nothing}

    def installed(self, *products):
        """What the probe sees once the products are brought up."""
        server = copy.deepcopy(self.server)
        for name in products:
            product = self.product(name)
            apply(self.plan(name, self.empty_server()), server, product.identifier, self.key)
            claim = claim_of(product)
            server["claims"][product.identifier] = json.loads(record_of(self.variables["inventory_hostname"], claim))
            for container, networks in claim["containers"].items():
                server["containers"][container] = {"networks": networks, "running": True}
        return server

    def action(self, module, arguments, check_mode=False):
        """An action plugin that carries out nothing by itself: its `_execute_module` is for the test to set."""
        task = SimpleNamespace(
            args=arguments, check_mode=check_mode, diff=True, async_val=0, action="test", delegate_to=None
        )
        action = module.ActionModule(
            task=task,
            connection=SimpleNamespace(_shell=SimpleNamespace(tmpdir=None), has_pipelining=True),
            play_context=SimpleNamespace(check_mode=check_mode, diff=True),
            loader=self.loader,
            templar=self.templar,
            shared_loader_obj=None,
        )
        action.validate_argument_spec = lambda argument_spec: (
            None,
            {name: arguments.get(name, option.get("default")) for name, option in argument_spec.items()},
        )
        return action


def image_id(reference):
    return "sha256:" + hashlib.sha256(reference.encode()).hexdigest()


def said_in(unit_text):
    """What the probe reads in a unit about it."""
    lines = unit_text.partition("[X-SelfHosting]")[2].splitlines()
    values = dict(line.split("=", 1) for line in lines if "=" in line)
    said = {"image": values.get("Image", ""), "waiting": json.loads(values.get("Waiting", "[]"))}
    return {key: value for key, value in said.items() if key == "image" or value}


def apply(plan, server, identifier, key):
    """Change an answer of the probe as carrying out the plan changes the server."""
    server["networks"] = sorted({*server["networks"], *(network["name"] for network in plan.networks)})
    for image in plan.images:
        server["images"][normal_reference(image["reference"])] = image_id(image["reference"])
    for entry in plan.directories + plan.stage_files + plan.swap_files:
        seen = {"mode": entry["mode"].rjust(4, "0"), "owner": entry["owner"], "group": entry["group"]}
        if "content" in entry:
            seen["digest"] = keyed_digest(key, entry["content"].encode())
        server["files"][entry["path"]] = seen
    content = {file["path"]: file["content"] for file in plan.stage_files + plan.swap_files}
    for path in content:
        unit = path.rpartition("/")[2]
        if path.startswith("/etc/systemd/system/"):
            state = {"active": False, "enabled": False, "stale": [], "state": "inactive/dead"}
            server["units"][unit] = {**state, "product": identifier, **said_in(content[path])}
    for unit in plan.all_units:
        server["units"][unit].update(active=True, enabled=True, state="active/running", stale=[])
    for unit in plan.obsolete:
        del server["units"][unit]
    if plan.after:
        server["postgres_database"] = "7300000000000000001"
    for step in plan.gates + plan.after:
        name = step.unit.removesuffix(".service")
        server["records"][name] = {
            **step.record["content"],
            "image_id": server["images"][normal_reference(step.image)],
            "database": server["postgres_database"] if step.record["data_path"] else "",
        }
