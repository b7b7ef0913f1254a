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
from faults import ledger, run, table
from faults.stage import Stage
from verify import inside

SHORT = os.environ.get("FAULTS", "short") == "short"
# Long enough for what waits for it to give up: Rails' connections, Sidekiq's 5 s, a client's 10 s.
OUTAGE_SECONDS = 12 if SHORT else 30
RUNS = (
    [(row, 1) for row in table.rows() if row["short"]]
    if SHORT
    else sorted(table.missing(), key=lambda one: (one[1], one[0].get("within", "")))
)
DEADLINE = time.monotonic() + 60 * float(os.environ.get("FAULTS_MINUTES", "inf"))
FILE = Path(os.environ.get("MOLECULE_EPHEMERAL_DIRECTORY", "."), "short.jsonl") if SHORT else table.RUNS


@pytest.fixture
def stage(host, server, site, request):
    return Stage(host, server, site, request.param, OUTAGE_SECONDS)


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
