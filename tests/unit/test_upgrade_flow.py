# SPDX-FileCopyrightText: 2026 The selfhosting.lago authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""The playbooks of upgrade and rollback as Ansible runs them, on an invented server: what happens in which order."""

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest
from virtual_host import REPOSITORY, SERVER, collection_copy

HOST = "lago.example.com"
HERE = Path(__file__).parent / "upgrade_flow"
ACTIONS = (
    *("server_probe", "product", "product_files", "program", "upgrade_tasks"),
    *("server_files", "server_units", "run_end"),
)
TASK = "upgrade:perform_required_jobs"
BACKUP = ["mash-backup", "mash-backup-verify"]
# The steps of a way back.
KEPT = ["mash-backup-since", "stop", "mash-backup-since"]
RESTORED = ["backup v1.51.0", "mash-backup-restore"]
BROUGHT_BACK = "lago v1.51.0 as before: /mash/lago/api/env"
UNIT = {"product": "mash-lago", "enabled": True, "active": True, "stale": [], "state": "active/running", "image": "x"}


@pytest.fixture(scope="module")
def copy(tmp_path_factory):
    """The collection with plugins that carry out nothing."""
    root = collection_copy(tmp_path_factory.mktemp("collection"))
    for name in ACTIONS:
        shutil.copy(HERE / "action.py", root / "plugins" / "action" / f"{name}.py")
    shutil.copy(HERE / "module.py", root / "plugins" / "modules" / "lago_running.py")
    return root


@pytest.fixture
def run(copy, tmp_path):
    """Runs a playbook: what was done in this run, and what was said."""
    state = tmp_path / "state.json"
    server = {**SERVER, "units": {"mash-lago-api.service": UNIT}}
    state.write_text(json.dumps({"version": "v1.51.0", "records": {}, "log": [], "server": server}))
    (tmp_path / "rollback").mkdir()
    (tmp_path / "rollback" / "since.json").write_text('{"rows": 12, "events": 5, "files": ["/mash/lago/api/env"]}')
    inventory = tmp_path / "hosts.json"
    variables = {
        "ansible_connection": "local",
        "ansible_become": False,
        "mash_playbook_dns_check_enabled": False,
        "backup_data_path": str(tmp_path),
    }
    inventory.write_text(json.dumps({"mash_servers": {"hosts": {HOST: variables}}}))
    settings = REPOSITORY / "tests" / "unit" / "inventory" / "host_vars" / HOST / "vars.yml"

    def run(verb, fail="", **extra):
        before = json.loads(state.read_text())
        state.write_text(json.dumps({**before, "log": []}))
        extra = {"confirm": HOST, "lago_version_highest": "v1.53.0", "ansible_become": False, **extra}
        done = subprocess.run(
            [
                "ansible-playbook",
                f"--inventory={inventory}",
                f"--extra-vars=@{settings}",
                f"--extra-vars={json.dumps(extra)}",
                f"playbooks/{verb}.yml",
            ],
            cwd=copy,
            env={
                **os.environ,
                # The copy, and never the collection that would do it.
                "ANSIBLE_CONFIG": str(copy / "ansible.cfg"),
                "ANSIBLE_COLLECTIONS_PATH": str(copy / "collections"),
                "STATE": str(state),
                "FAIL": fail,
                "ACTING": str(HERE),
                "PYTHONPATH": str(HERE),
            },
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
        )
        after = json.loads(state.read_text())
        output = " ".join((done.stdout + done.stderr).split())
        log = [one for one in after["log"] if one != "note"]
        return done.returncode, log, output, after["records"].get("mash-lago-upgrade", {})

    return run


def test_over_a_stop_and_back(run):
    status, log, output, record = run("upgrade", upgrade_to="v1.53.0")
    assert status == 0, output
    hops = [[*BACKUP, f"lago {version}", f"backup {version}", TASK] for version in ("v1.52.1", "v1.53.0")]
    assert log == [*hops[0], *hops[1], "run done"]
    assert (record["state"], record["from"], record["done"]) == ("done", "v1.51.0", ["v1.52.1", "v1.53.0"])

    status, log, output, record = run("rollback")
    assert status != 0
    assert "confirm_rows=12" in output
    assert log == ["mash-backup-since", "run failed"], "Lago serves while somebody is asked"
    assert record["state"] == "done"

    status, log, output, record = run("rollback", confirm_rows="12")
    assert status == 0, output
    assert log == [*KEPT, *RESTORED, BROUGHT_BACK, "mash-backup-resend", "run done"]
    assert record["state"] == "rolled back"


@pytest.mark.parametrize(
    ("fail", "done", "state", "words", "left"),
    [
        (
            "mash-backup-restore",
            [*KEPT, *RESTORED],
            "rolling back",
            f"Lago is stopped on {HOST}, and clients are told to try again",
            ["stop", *RESTORED, BROUGHT_BACK, "mash-backup-resend"],
        ),
        (
            "v1.51.0 converge",
            [*KEPT, *RESTORED, BROUGHT_BACK],
            "put back",
            "Lago is not all back yet",
            [BROUGHT_BACK, "mash-backup-resend"],
        ),
        (
            "mash-backup-resend",
            [*KEPT, *RESTORED, BROUGHT_BACK, "mash-backup-resend"],
            "sending again",
            f"Lago serves on {HOST}, and the events that were kept are not all in yet",
            ["mash-backup-resend"],
        ),
    ],
)
def test_a_way_back_that_failed_is_completed(run, fail, done, state, words, left):
    """Nothing that came in after Lago was back is put away by a second restore."""
    assert run("upgrade", upgrade_to="v1.52.1")[0] == 0
    status, log, output, record = run("rollback", fail, confirm_rows="12")
    assert status != 0
    assert log == [*done, "run failed"]
    assert record["state"] == state
    assert words in output
    assert f"just rollback -l {HOST}" in output
    assert "Nothing more was done" not in output

    status, log, output, record = run("rollback")
    assert status == 0, output
    assert log == [*left, "run done"]
    assert record["state"] == "rolled back"


def test_what_fails_while_lago_is_stopped_starts_it_again(run):
    assert run("upgrade", upgrade_to="v1.52.1")[0] == 0
    status, log, output, record = run("rollback", "stop", confirm_rows="12")
    assert status != 0
    assert log == ["mash-backup-since", "stop", "converge", "run failed"]
    assert record["state"] == "done"
    assert "could not be started again" not in output

    status, log, output, record = run("rollback", "stop converge", confirm_rows="12")
    assert f"Lago could not be started again. Type: just start-all -l {HOST}" in output


def test_a_failed_migration_opens_the_api_again_and_the_next_run_makes_no_other_backup(run):
    status, log, output, record = run("upgrade", "v1.52.1 gate", upgrade_to="v1.52.1", upgrade_close_ingest=True)
    assert status != 0
    assert "v1.51.0 goes on serving" in output
    assert "DROP INDEX CONCURRENTLY public.half" in output
    assert log == ["closed", *BACKUP, "lago v1.52.1 closed", "opened", "run failed"]
    assert not record["closed"]

    status, log, output, record = run("upgrade", upgrade_to="v1.52.1", upgrade_close_ingest=True)
    assert status == 0, output
    assert log == ["closed", "lago v1.52.1 closed", "backup v1.52.1 closed", TASK, "opened", "run done"]


def test_containers_that_never_get_ready_leave_the_api_closed_and_a_way_back_that_asks_nobody(run):
    status, log, output, record = run("upgrade", "v1.52.1 converge", upgrade_to="v1.52.1", upgrade_close_ingest=True)
    assert status != 0
    assert "just rollback" in output
    assert log == ["closed", *BACKUP, "lago v1.52.1 closed", "run failed"]
    assert record["closed"]
    status, log, output, record = run("rollback")
    assert status == 0, output
    assert "mash-backup-restore" in log


def test_the_plan_does_nothing(run):
    status, log, output, record = run("upgrade_plan", upgrade_to="v1.53.0")
    assert status == 0, output
    assert (log, record) == ([], {})
    assert "2 hops to v1.53.0" in output
