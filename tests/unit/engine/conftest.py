# SPDX-FileCopyrightText: 2026 The selfhosting.lago authors
# SPDX-License-Identifier: AGPL-3.0-or-later
import json
from types import SimpleNamespace

import pytest
import yaml
from ansible.module_utils.testing import patch_module_args
from ansible.template import Templar
from ansible_collections.selfhosting.lago.plugins.plugin_utils.product import (
    FAMILIES,
    Product,
    Settled,
    family_variables,
)
from ansible_collections.selfhosting.lago.plugins.plugin_utils.render import Renderer
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
    """Notes the commands of a module in place of running them; `answers` maps a beginning to (status, output)."""
    asked = []

    def install(module, answers=None):
        def run(command, check=True, timeout=None, stdin=None):
            line = " ".join(command)
            asked.append(line)
            for beginning, (status, output) in (answers or {}).items():
                if line.startswith(beginning):
                    return SimpleNamespace(returncode=status, stdout=output, stderr="")
            return SimpleNamespace(returncode=0, stdout="", stderr="")

        monkeypatch.setattr(module, "run", run)
        return asked

    return install
