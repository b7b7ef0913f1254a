# SPDX-FileCopyrightText: 2026 The selfhosting.lago authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Fixtures for the tests of all scenarios."""

from __future__ import annotations

import contextlib
import functools
import io
import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from testbed import servers
from verify import plays
from verify.outside import Site

INVENTORY = Path(__file__).parent / "inventory" / "group_vars"


def pytest_configure(config):
    config.addinivalue_line("markers", "long: takes minutes, and is run only with LONG_TESTS=1")


def pytest_collection_modifyitems(config, items):
    if process := getattr(config, "workerinput", None):
        items[:] = of_this_process(items, int(process["workerid"].removeprefix("gw")), process["workercount"])
    if not os.environ.get("LONG_TESTS"):
        for item in items:
            if item.get_closest_marker("long"):
                item.add_marker(pytest.mark.skip(reason="long: just test-all, or LONG_TESTS=1"))


def of_this_process(items: list, number: int, processes: int) -> list:
    """With --dist=each, every process has all tests, and keeps those of its server, which it does in their order."""
    hosts = [item.callspec.params.get("_testinfra_host") if hasattr(item, "callspec") else None for item in items]
    mine = sorted({inventory_name(host) for host in hosts if host})[number::processes]
    return [item for item, host in zip(items, hosts, strict=True) if not host or inventory_name(host) in mine]


def inventory_name(host) -> str:
    return host.backend.get_pytest_id().rpartition("://")[2]


def server_of(host) -> servers.Server:
    return servers.get(os.environ["TESTBED_RUN"], inventory_name(host))


@pytest.fixture(scope="module")
def server(host) -> servers.Server:
    """The test bed's view of the host under test: reboot it, cut its power, know its address."""
    return server_of(host)


@pytest.fixture(scope="session")
def user_values() -> dict:
    """What the user of the scenario wrote into vars.yml, as it stands there."""
    return yaml.safe_load((INVENTORY / "mash_servers.yml").read_text())


@pytest.fixture
def keys() -> Path:
    """Where create.yml puts what is made anew for each set of servers."""
    return Path(os.environ["MOLECULE_EPHEMERAL_DIRECTORY"]) / "keys"


@pytest.fixture
def other_time_zone(keys) -> str:
    """One with the same minutes as the servers' own: see testbed/time_zones.py."""
    return json.loads((keys / "time-zones.json").read_text())[1]


@pytest.fixture
def site(server, user_values, keys, monkeypatch) -> Iterator[Site]:
    """The site as users reach it."""
    certificates = keys / "certificate.pem"
    # For the vendor's client; a proxy of this machine does not know the site.
    monkeypatch.setenv("SSL_CERT_FILE", str(certificates))
    monkeypatch.setenv("NO_PROXY", "*")
    key = user_values["lago_migrate_environment_variable_lago_org_api_key"]
    site = Site(user_values["lago_hostname"], server.address, certificates, key)
    with site.answering():
        yield site


@pytest.fixture
def play(server):
    """Run the playbook on the host under test: play("--check", name=value)."""
    return functools.partial(plays.play, server.name)


@pytest.fixture
def runs(host) -> list[plays.Run]:
    """Molecule's runs of the playbook on the host under test, which may be one of several that are the same server."""
    return plays.recorded(inventory_name(host))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    """To a failure belong the journals of the units that are not up."""
    report = yield
    if report.failed and "host" in getattr(item, "funcargs", {}):
        text = io.StringIO()
        with contextlib.redirect_stdout(text), contextlib.suppress(Exception):
            servers.print_journal(server_of(item.funcargs["host"]))
        report.sections.append(("Units that are not up", text.getvalue() or "none"))
    return report
