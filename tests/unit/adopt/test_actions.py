# SPDX-FileCopyrightText: 2026 The selfhosting.lago authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""What a run says, asks and writes when it adopts a compose project."""

import json
import stat

import pytest
from ansible.errors import AnsibleActionFail
from ansible_collections.selfhosting.lago.plugins.action import adopt_consent, adopt_end, adopt_look, adopt_move
from virtual_host import VirtualHost

HOST = "lago.example.com"
TABLES = {"payment_providers": {"rows": 1, "live": 1, "configured": 1}}


@pytest.fixture
def look(project, tmp_path):
    """Runs the look with what the modules answer; returns the facts and the calls."""

    def run(found=None, tables=TABLES, change=None, asked=None, failed=None):
        host = VirtualHost(change={"lago_hostname": "billing.example.com", **(change or {})})
        arguments = {
            "directory": asked or "/opt/lago",
            "target_path": "/mash",
            "record_path": "/r.json",
            "unit": "mash-lago-api.service",
            "variables_path": str(tmp_path / "host_vars" / HOST / "vars_adopted.yml"),
            "worker_kinds": {},
        }
        action = host.action(adopt_look, arguments)
        calls = []

        def module(module_name, module_args, task_vars):
            calls.append((module_name.rpartition(".")[2], module_args))
            if failed:
                return {"failed": True, "msg": failed}
            return {"project": found or project()} if module_name.endswith("compose_project") else {"tables": tables}

        action._execute_module = module
        return action.run(None, host.variables)["ansible_facts"], calls

    return run


def test_settings_count_for_the_run_and_the_keys_are_proven(look):
    facts, calls = look()
    assert facts["selfhosting_adopt"]["problems"] == []
    assert facts["lago_version"] == "v1.51.0"
    assert facts["lago_api_environment_variable_secret_key_base"] == "secret-key-base-of-the-project"
    name, asked = calls[-1]
    assert (name, asked["container"]) == ("lago_keys", "lago-api")
    assert asked["candidates"]["configured"] == {
        "primary_key": "primary-of-the-project",
        "deterministic_key": "deterministic-of-the-project",
        "key_derivation_salt": "salt-of-the-project",
    }
    # Where there is no volume, only the environment can give it.
    assert asked["environment"]["LAGO_RSA_PRIVATE_KEY"].startswith("LS0tLS1")


@pytest.mark.parametrize(
    ("how", "said"),
    [
        ({"asked": "lago"}, "adopt_directory is 'lago'"),
        ({"failed": "Docker does not answer"}, "Docker does not answer"),
        ({"change": {"valkey_enabled": False}}, "valkey_enabled is False"),
        (
            {"tables": {"payment_providers": {"rows": 1, "live": 1, "configured": 0}}},
            "1 stored credentials are readable there",
        ),
    ],
)
def test_with_a_problem_nothing_of_the_project_counts(look, how, said):
    facts, _calls = look(**how)
    assert any(said in problem for problem in facts["selfhosting_adopt"]["problems"])
    assert list(facts) == ["selfhosting_adopt"]
    assert facts["selfhosting_adopt"]["announced"] == []


def test_one_file_of_variables_is_in_the_way(look, tmp_path):
    (tmp_path / "host_vars").mkdir()
    (tmp_path / "host_vars" / f"{HOST}.yml").touch()
    assert "move it to" in look()[0]["selfhosting_adopt"]["problems"][0]


def test_what_is_done_is_not_done_again(look, project):
    done = project(record={"directory": "/opt/lago", "state": "done", "containers": {}})
    facts, calls = look(done)
    assert list(facts) == ["selfhosting_adopt"]
    assert facts["selfhosting_adopt"]["done"]
    assert len(calls) == 1


@pytest.fixture
def consent(monkeypatch, look):
    said = []
    monkeypatch.setattr(adopt_consent.display, "display", said.append)

    def run(found=None, check_mode=False, **arguments):
        facts, _calls = look(found)
        host = VirtualHost()
        host.variables["selfhosting_adopt"] = facts["selfhosting_adopt"]
        action = host.action(adopt_consent, arguments, check_mode)
        return action.run(None, host.variables), "\n".join(said)

    return run


def test_without_the_hosts_name_it_only_says_what_would_be_done(consent, tmp_path):
    for arguments in ({}, {"confirm": HOST, "check_mode": True}):
        result, said = consent(**arguments)
        assert (result["changed"], result["confirmed"]) == (False, False)
        assert f"{HOST}: Nothing was changed. To do it: just adopt-compose /opt/lago -e confirm={HOST}" in said
        assert "lago_api_environment_variable_secret_key_base: (a secret)" in said
        assert "of-the-project" not in said
        assert "payment_providers: 1 stored credentials were decrypted" in said
        assert list(tmp_path.iterdir()) == []


def test_another_hosts_name_is_refused(consent, tmp_path):
    with pytest.raises(AnsibleActionFail, match="and this host is lago"):
        consent(confirm="another")
    assert list(tmp_path.iterdir()) == []


def test_the_settings_are_written_for_their_owner_alone(consent, tmp_path):
    result, said = consent(confirm=HOST)
    assert (result["changed"], result["confirmed"]) == (True, True)
    written = tmp_path / "host_vars" / HOST / "vars_adopted.yml"
    assert stat.S_IMODE(written.stat().st_mode) == 0o600
    assert 'lago_api_environment_variable_secret_key_base: "secret-key-base-of-the-project"' in written.read_text()
    assert "of-the-project" not in said
    assert [path.name for path in written.parent.iterdir()] == ["vars_adopted.yml"]


def test_once_done_it_says_how_to_go_back_and_how_to_delete(consent, project):
    found = project()
    found["record"] = {"directory": "/opt/lago", "state": "done", "containers": {"lago-api": {"running": True}}}
    result, said = consent(found, confirm=HOST)
    assert (result["changed"], result["confirmed"]) == (False, False)
    assert "docker start lago-api" in said
    assert "docker volume rm lago_storage" in said


@pytest.fixture
def move(project, monkeypatch):
    def run(record=None, follow=lambda *_all, **_further: []):
        host = VirtualHost()
        host.variables["selfhosting_adopt"] = {"project": project(record=record or {})}
        arguments = {"path": "/mash/adopt", "record_path": "/r.json", "server": host.server}
        action, calls = host.action(adopt_move, arguments), []
        action._execute_module = lambda module_name, module_args, task_vars: calls.append(module_args) or {}
        monkeypatch.setattr(adopt_move, "follow", follow)
        return action, host, calls

    return run


def test_the_program_is_sent_whole_and_its_request_as_a_secret(move):
    action, host, calls = move()
    assert action.run(None, host.variables)["changed"]
    (sent,) = calls
    names = {file["path"].rpartition("/")[2] for file in sent["files"]}
    assert {"__main__.py", "database.py", "keys.py", "postgres.py", "shell.py", "container-quiet.py"} <= names
    assert list(sent["secrets"]) == ["/mash/adopt/request.json"]
    request = json.loads(sent["secrets"]["/mash/adopt/request.json"])
    assert request["postgres"]["target"] == {
        "container": "mash-postgres",
        "user": "root",
        "database": "lago",
        "owner": "lago",
    }
    assert request["redis"]["target"]["container"] == "mash-valkey"
    assert request["storage"]["target"] == "/mash/lago/data"
    assert "lease" in sent


def test_a_move_that_fails_says_what_to_type(move):
    def fails(*_all, **_further):
        raise AnsibleActionFail("no room")

    action, host, _calls = move(follow=fails)
    with pytest.raises(
        AnsibleActionFail, match="no room\nTo go on from there: just adopt-compose /opt/lago -e confirm="
    ):
        action.run(None, host.variables)


def test_what_is_moved_is_not_moved_again(move):
    action, host, calls = move(record={"directory": "/opt/lago", "state": "moved"})
    assert not action.run(None, host.variables)["changed"]
    assert calls == []


@pytest.fixture
def end(project, monkeypatch):
    said = []
    monkeypatch.setattr(adopt_end.display, "display", said.append)

    def run(tables):
        host = VirtualHost(server={"records": {"mash-lago-adopted": {"directory": "/opt/lago", "state": "moved"}}})
        host.variables["selfhosting_adopt"] = {"project": project(), "tables": TABLES}
        arguments = {
            "server": host.server,
            "record_path": "/mash/records/mash-lago-adopted.json",
            "container": "mash-lago-api",
            "environment_path": "/mash/lago/api/env",
        }
        action, calls = host.action(adopt_end, arguments), []

        def module(module_name, module_args, task_vars):
            calls.append(module_args)
            return {"tables": tables} if module_name.endswith("lago_keys") else {}

        action._execute_module = module
        return action.run(None, host.variables), calls, "\n".join(said)

    return run


def test_the_end_is_noted_when_all_credentials_are_readable(end):
    _result, calls, said = end({"payment_providers": {"rows": 1, "live": 1}})
    assert json.loads(calls[-1]["files"][0]["content"])["state"] == "done"
    assert "Stored credentials that were decrypted here: 1" in said
    assert "docker volume rm lago_storage" in said


def test_a_credential_that_is_lost_is_no_end(end):
    with pytest.raises(AnsibleActionFail, match="payment_providers: 1 there, 0 here"):
        end({"payment_providers": {"rows": 1, "live": 0}})
