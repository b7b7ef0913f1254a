# SPDX-FileCopyrightText: 2026 The selfhosting.lago authors
# SPDX-License-Identifier: AGPL-3.0-or-later
import itertools
import json
from types import SimpleNamespace

import pytest
import yaml
from ansible.module_utils.testing import patch_module_args
from ansible.template import Templar
from ansible_collections.selfhosting.lago.plugins.module_utils import starting, steps
from ansible_collections.selfhosting.lago.plugins.modules import server_units
from ansible_collections.selfhosting.lago.plugins.plugin_utils.product import FAMILIES, Product, family_variables
from ansible_collections.selfhosting.lago.plugins.plugin_utils.render import Renderer
from ansible_collections.selfhosting.lago.plugins.plugin_utils.settled import Settled
from virtual_host import LOADER, trusted


@pytest.fixture
def product_of():
    """Makes a product from the YAML text of a product.yml and some variables."""

    def make(text, **variables):
        data = trusted(yaml.safe_load(text))
        families = LOADER.load_from_file(FAMILIES, trusted_as_template=True)
        available = family_variables(families, data.get("families", []))
        available.update(data.get("variables", {}))
        available.update(trusted(variables))
        return Product("test", data, Settled(Templar(loader=LOADER), available))

    return make


@pytest.fixture
def service(product_of):
    """Makes one resolved container: a plain one with some options of its own."""

    def make(**options):
        entry = {
            "name": "mash-a",
            "description": "A",
            "image": "example.com/a:1",
            "path": "/mash/a",
            "networks": ["net"],
        }
        return product_of(yaml.safe_dump({"services": [{**entry, **options}]})).services()[0]

    return make


@pytest.fixture
def renderer(tmp_path):
    return Renderer("mash-test", {"owner": "mash", "group": "mash"}, str(tmp_path), "/mash/engine")


@pytest.fixture
def run_module(capsys):
    """Runs a module's main() in this process and returns what it printed, masked as on a server."""

    def run(module, check_mode=False, **arguments):
        capsys.readouterr()
        with (
            patch_module_args({**arguments, "_ansible_check_mode": check_mode, "_ansible_diff": True}),
            pytest.raises(SystemExit),
        ):
            module.main()
        return json.loads(capsys.readouterr().out)

    return run


@pytest.fixture
def commands(monkeypatch):
    """Notes the commands of modules in place of running them; `answers` maps a beginning to (status, output)."""
    asked = []

    def install(module, answers=None, others=()):
        def run(command, check=True, timeout=None, stdin=None):
            line = " ".join(command)
            asked.append(line)
            for beginning, (status, output) in (answers or {}).items():
                if line.startswith(beginning):
                    return SimpleNamespace(returncode=status, stdout=output, stderr="")
            return SimpleNamespace(returncode=0, stdout="", stderr="")

        for one in (module, *others):
            monkeypatch.setattr(one, "run", run)
        return asked

    return install


@pytest.fixture
def units(monkeypatch, commands, run_module):
    """Runs server_units for units in invented states; returns its answer and the commands."""

    def run(operation, states, answers=None, after="active", check_mode=False, run=None, shown=None, **arguments):
        asked = commands(server_units, answers, others=(starting, steps))
        if run:
            for one in (server_units, starting, steps):
                monkeypatch.setattr(one, "run", run)
        docker = SimpleNamespace(image_ids=lambda: {"a:1": "sha256:1"})
        for one in (server_units, steps):
            monkeypatch.setattr(one, "Docker", lambda: docker)
        monkeypatch.setattr(server_units, "unit_states", lambda _units, _docker: states)
        for one in (starting, steps):
            monkeypatch.setattr(one, "journal", lambda *_a, **_k: ["last words"])
        properties = {"ActiveState": after, "SubState": "x", "Result": "y", **(shown or {})}
        # Each look sees another start.
        looks = itertools.count()

        def show(names):
            return {name: {**properties, "InvocationID": f"i{next(looks)}"} for name in names}

        for one in (server_units, starting, steps):
            monkeypatch.setattr(one, "show_units", show)
        wanted = dict.fromkeys(states, "a:1")
        return run_module(server_units, check_mode, operation=operation, units=wanted, **arguments), asked

    return run
