# SPDX-FileCopyrightText: 2026 The selfhosting.lago authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""What the removal asks for, and what it refuses."""

import time

import pytest
from ansible.errors import AnsibleActionFail, AnsiblePromptNoninteractive
from ansible_collections.selfhosting.lago.plugins.action import removal
from ansible_collections.selfhosting.lago.plugins.plugin_utils import confirmation
from virtual_host import PRODUCTS, VirtualHost

HOST = "lago.example.com"
RECORDS = "/mash/selfhosting-lago/records"
# A note of a half-done restore or way back goes with the data that it is about, and stops no installation afterwards.
NOTES = [f"{RECORDS}/mash-backup-restore.json", f"{RECORDS}/mash-lago-upgrade.json"]
DATA = [
    *("/mash/lago/api/env", "/mash/lago/data", "/mash/postgres/data"), *NOTES, "/mash/traefik/ssl", "/mash/valkey/data"
]  # fmt: skip


@pytest.fixture
def remove(monkeypatch):
    def run(change=None, check_mode=False, server=None, answer=None, **arguments):
        host = VirtualHost(change=change)
        server = server or VirtualHost().installed(*PRODUCTS)
        arguments = {"products": list(PRODUCTS), "server": server, "everything": False, **arguments}
        action = host.action(removal, arguments, check_mode)
        calls = []

        def execute(module_name, module_args, task_vars):
            calls.append(module_args)
            found = {kind: module_args.get(kind, []) for kind in removal.NOTHING}
            return {**found, "units": {unit: {"action": "remove", "reasons": []} for unit in found["units"]}}

        def ask(question):
            assert HOST in question
            return AnsiblePromptNoninteractive("nobody") if answer is None else answer.encode()

        monkeypatch.setattr(action, "_execute_module", execute)
        monkeypatch.setattr(confirmation.display, "prompt_until", ask)
        return action.run(None, host.variables), calls

    return run


def test_nothing_is_switched_off(remove):
    result, calls = remove()
    assert (result["changed"], result["kept"], calls) == (False, [], [])


def test_what_is_switched_off_goes_and_its_data_stays(remove):
    result, (announced, done) = remove(change={"lago_enabled": False})
    assert done.pop("lease")["host"] == "lago.example.com", "nobody else changes it meanwhile"
    assert {**done, "announce": True} == announced
    assert done["networks"] == ["mash-lago", "mash-lago-pdf"]
    assert "mash-lago-migrate.service" in done["units"]
    assert not [unit for unit in done["units"] if "lago" not in unit]
    assert "docker.io/getlago/api:v1.52.1" in done["images"]
    # Traefik would go on answering for it. Its keys themselves stay, and with them what a later run compares.
    assert done["files"] == [
        "/mash/selfhosting-lago/records/mash-lago-keys.json",
        "/mash/traefik/config/dynamic/mash-lago.yml",
    ]
    assert "data" not in done
    assert "Lago's keys: /mash/lago/api/env" in result["kept"]


def test_a_network_that_is_to_stay(remove):
    change = {"lago_enabled": False, "valkey_enabled": False, "lago_container_network_deletion_enabled": False}
    _result, (_announced, done) = remove(change=change)
    assert done["networks"] == ["mash-valkey"]


def test_what_was_never_installed_is_not_looked_for(remove):
    result, calls = remove(change={"lago_enabled": False}, server=VirtualHost().installed("traefik"))
    assert (result["changed"], calls) == (False, [])


def test_everything_with_the_image_that_is_built_from(remove):
    result, (_announced, done) = remove(everything=True, confirm=HOST)
    assert done["units"] == sorted(VirtualHost().installed(*PRODUCTS)["units"])
    assert "docker.io/postgres:17-trixie" in done["images"]
    assert result["changed"]


@pytest.mark.parametrize("confirm", [HOST, f"other.example.com, {HOST}"])
def test_a_name_on_the_command_line_is_enough(remove, confirm):
    assert len(remove(everything=True, confirm=confirm)[1]) == 2


def test_a_name_that_is_typed_is_enough(remove):
    assert len(remove(everything=True, answer=HOST)[1]) == 2


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"confirm": "yes"}, f"confirm is 'yes', and this host is {HOST}"),
        ({"answer": "yes"}, f"'yes' is not {HOST}"),
        ({}, f"nobody is there to confirm it. Type -e confirm={HOST}"),
    ],
)
def test_without_the_name_nothing_goes(remove, arguments, message):
    with pytest.raises(AnsibleActionFail, match=message):
        remove(everything=True, **arguments)


def test_check_mode_asks_nothing_and_removes_nothing(remove):
    result, (call,) = remove(everything=True, check_mode=True)
    assert call["announce"]
    assert result["changes"]["units"]


@pytest.mark.parametrize(
    ("given", "hours", "message"),
    [
        ("yes", 1, f"delete_data is 'yes', and this host is {HOST}"),
        (HOST, None, rf"none that has passed its trial\. Type: just backup -l {HOST}, then just verify-backup"),
        (HOST, 25, r"the last good one is older\. Type: just backup -l .* Without delete_data the data stays"),
    ],
)
def test_data_is_not_deleted_without_a_young_good_backup(remove, given, hours, message):
    server = VirtualHost().installed(*PRODUCTS)
    if hours:
        server["records"]["mash-backup-verified"] = {"backup_time": time.time() - hours * 3600}
    with pytest.raises(AnsibleActionFail, match=message):
        remove(everything=True, confirm=HOST, delete_data=given, server=server)


def test_data_is_deleted_with_one(remove):
    server = VirtualHost().installed(*PRODUCTS)
    server["records"]["mash-backup-verified"] = {"backup_time": time.time() - 3600}
    result, (_announced, done) = remove(everything=True, confirm=HOST, delete_data=HOST, server=server)
    assert done["data"] == DATA
    assert result["kept"] == ["Backups: /mash/backup/data"]
    # Services that are gone already are no reason to keep the data.
    server["units"] = {}
    assert remove(everything=True, confirm=HOST, delete_data=HOST, server=server)[1][1]["data"] == DATA


@pytest.mark.parametrize(("prefix", "other"), [("mash-", "mash-second-"), ("mash-second-", "mash-")])
def test_the_backup_of_another_host_of_the_server_permits_nothing(remove, prefix, other):
    server = VirtualHost().installed(*PRODUCTS)
    arguments = {"everything": True, "confirm": HOST, "delete_data": HOST, "server": server}
    change = {"mash_playbook_service_identifier_prefix": prefix}
    record = {"backup_time": time.time() - 3600}
    server["records"] = {f"{other}backup-verified": record}
    with pytest.raises(AnsibleActionFail, match="none that has passed its trial"):
        remove(change=change, **arguments)
    server["records"] = {f"{prefix}backup-verified": record}
    assert remove(change=change, **arguments)[1][1]["data"]


def test_setup_deletes_no_data_whatever_is_given(remove):
    _result, calls = remove(change={"lago_enabled": False}, delete_data=HOST)
    assert not [call for call in calls if "data" in call]
