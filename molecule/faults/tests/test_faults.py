# SPDX-FileCopyrightText: 2026 The selfhosting.lago authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Each run that the file of runs does not have yet: it is made, written down, and must be as its row wants it.

The environment variable FAULTS says which runs: `short` (default) those of `just faults --short`, noted in a file of
their own; `all` those that runs.jsonl lacks. No run begins once FAULTS_MINUTES are over.
"""

import os
import time
from pathlib import Path

import pytest
import testinfra
from faults import ledger, run, table
from faults.stage import Stage
from verify import inside

SHORT = os.environ.get("FAULTS", "short") == "short"
# Long enough for what waits for it to give up: Rails' connections, Sidekiq's 5 s, a client's 10 s.
OUTAGE_SECONDS = 12 if SHORT else 30
# Until it is killed in the middle, and whole when it is run again.
MIGRATION_SECONDS = 10 if SHORT else 20
# Fewer events are less work for a machine that has both servers and little time.
PAUSE_SECONDS = 0.3 if SHORT else 0.1
RUNS = (
    [(row, 1) for row in table.rows() if row["short"]]
    if SHORT
    else sorted(table.missing(), key=lambda one: (one[1], one[0].get("within", "")))
)
# Waiting until the server is well by itself, healing it, and waiting for its jobs.
pytestmark = pytest.mark.timeout(900)
DEADLINE = time.monotonic() + 60 * float(os.environ.get("FAULTS_MINUTES", "inf"))
FILE = Path(os.environ.get("MOLECULE_EPHEMERAL_DIRECTORY", "."), "short.jsonl") if SHORT else table.RUNS


@pytest.fixture(scope="module")
def host(request, worker_id):
    """Each of pytest's processes has a server for itself."""
    given = request.config.option
    hosts = testinfra.get_hosts([given.hosts], connection=given.connection, ansible_inventory=given.ansible_inventory)
    number = int(worker_id.removeprefix("gw")) if worker_id.startswith("gw") else 0
    return sorted(hosts, key=lambda one: one.backend.get_pytest_id())[number % len(hosts)]


@pytest.fixture
def stage(host, server, site, request):
    return Stage(host, server, site, request.param, OUTAGE_SECONDS, MIGRATION_SECONDS, PAUSE_SECONDS)


def test_every_unit_has_its_rows(host):
    rows = [row for row in table.rows() if row["way"] == "restart_unit" and "within" not in row]
    known = {f"{row['with']['of']}.service" for row in rows}
    assert set(inside.installed_units(host)) == known


@pytest.mark.parametrize(
    ("row", "stage"), RUNS, indirect=["stage"], ids=[f"{row['name']} {number}" for row, number in RUNS]
)
def test_fault(row, stage):
    if time.monotonic() > DEADLINE:
        pytest.skip("later: the time is over")
    line = run.run(stage, row)
    table.append(line, FILE)
    if not row.get("compared"):
        assert ledger.broken_wishes(line, row) == [], line
