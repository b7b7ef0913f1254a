# SPDX-FileCopyrightText: 2026 The selfhosting.lago authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Every row of environment.yml."""

import json
import re
import shlex
from pathlib import Path

import pytest
import yaml

from .conftest import API, HARDENED, VERSION, docker

HERE = Path(__file__).parent
TABLE = yaml.safe_load((HERE / "environment.yml").read_text())


@pytest.fixture(scope="module")
def answers(images):
    probe = (HERE / "settings_probe.rb").read_text()
    done = docker(
        "run", "--rm", "--interactive", "--network=none", f"{API}:{VERSION}", "ruby", "-e", probe,
        input=json.dumps(TABLE["settings"]),
    )  # fmt: skip
    return json.loads(done.stdout)


@pytest.mark.parametrize("row", range(len(TABLE["settings"])), ids=lambda row: str(TABLE["settings"][row]))
def test_setting(answers, row):
    assert answers[row] == TABLE["settings"][row]["gives"]


@pytest.mark.parametrize("name", TABLE["refusals"])
def test_refusal(bed, name):
    row = TABLE["refusals"][name]
    options = [option for option in HARDENED if option != row.get("without")]
    done = bed.run(
        *shlex.split(row.get("command", "rails runner 1")),
        options=options + row.get("options", []),
        **row.get("env", {}),
    )
    assert (done.code != 0) == (row.get("exit", 1) != 0), done.says
    assert re.search(row["says"], done.says), done.says
