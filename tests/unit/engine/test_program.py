# SPDX-FileCopyrightText: 2026 The selfhosting.lago authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Programs of a product: followed to their end, asked what they would do first, and confirmed by the host's name."""

import json

import pytest
from ansible.errors import AnsibleActionFail
from ansible_collections.selfhosting.lago.plugins.action import program
from ansible_collections.selfhosting.lago.plugins.modules import server_program
from ansible_collections.selfhosting.lago.plugins.plugin_utils import following
from ansible_collections.selfhosting.lago.plugins.plugin_utils.lease import RUN
from virtual_host import VirtualHost

HOST = "lago.example.com"
UNIT = "mash-backup-restore.service"
REQUEST = {"backup": "latest"}
LINES = [{"text": "Fetching: 1 MB so far", "progress": True}, {"text": "Backup is restored", "progress": False}]


@pytest.fixture
def follow(monkeypatch, capsys):
    """Runs the action; the server says LINES in the second of three calls. Returns answer, calls and what was shown."""
    shown = []
    for module in (program, following):
        monkeypatch.setattr(module.display, "display", lambda text, **_options: shown.append(text))
    monkeypatch.setattr(program.confirmation, "ask", lambda _question: None)

    def run(check_mode=False, terminal=False, result="success", **arguments):
        host = VirtualHost(change={"backup_enabled": True})
        server = {**host.server, "units": {**host.server["units"], UNIT: {}}}
        arguments = {"product": "backup", "program": "mash-backup-restore", "server": server, **arguments}
        action, calls = host.action(program, arguments, check_mode), []

        def execute(module_name, module_args, task_vars):
            assert not action._task.check_mode, "the module would skip itself"
            calls.append(module_args)
            number = module_args.get("cursor", 0)
            return {
                "running": number < 2,
                "cursor": number + 1,
                "result": result,
                "lines": LINES if number == 1 else [],
            }

        monkeypatch.setattr(action, "_execute_module", execute)
        monkeypatch.setattr(following.sys.stdout, "isatty", lambda: terminal, raising=False)
        try:
            return action.run(None, host.variables), calls, shown
        except AnsibleActionFail as failure:
            return failure, calls, shown

    return run


def test_progress_is_for_a_terminal(follow):
    answer, _calls, shown = follow()
    assert answer["lines"] == ["Backup is restored"]
    assert shown == [f"{HOST}: Backup is restored"]
    shown.clear()
    assert follow(terminal=True)[2] == [f"{HOST}: {line['text']}" for line in LINES]


def test_the_server_is_held_until_the_end_where_that_is_asked_for(follow):
    _answer, calls, _shown = follow()
    assert not any(call.get("lease") for call in calls)
    answer, calls, _shown = follow(exclusive=True)
    assert {call["lease"]["id"] for call in calls} == {RUN}
    assert answer["ansible_facts"]["selfhosting_done"], "so that the run gives it back"


def test_what_it_said_is_the_failure(follow):
    failure, _calls, _shown = follow(result="exit-code")
    assert "mash-backup-restore.service failed (exit-code):\nBackup is restored" in str(failure)


def test_what_replaces_something_says_what_first(follow):
    confirmed = {"request": REQUEST, "request_path": "/data/request.json", "confirmed_by": "It is replaced."}
    failure, calls, _shown = follow(**confirmed)
    assert f"Type -e confirm={HOST}" in str(failure)
    requests = [call["request"] for call in calls if "request" in call]
    assert requests == [{**REQUEST, "plan": True}], "nothing but the plan was asked for"
    _answer, calls, _shown = follow(**confirmed, confirm=HOST)
    requests = [call["request"] for call in calls if "request" in call]
    assert requests == [{**REQUEST, "plan": True}, REQUEST]


def test_check_mode_asks_for_the_plan_alone(follow):
    confirmed = {"request": REQUEST, "request_path": "/data/request.json", "confirmed_by": "It is replaced."}
    answer, calls, shown = follow(check_mode=True, **confirmed)
    assert [call["request"] for call in calls if "request" in call] == [{**REQUEST, "plan": True}]
    assert answer["lines"] == ["Backup is restored"]
    assert f"{HOST}: would run {UNIT}" in shown


@pytest.fixture
def start(run_module, commands, tmp_path):
    def start(request, state="inactive"):
        answers = {
            "journalctl --lines=0": (0, "-- cursor: a\n"),
            "systemctl show": (0, f"ActiveState={state}\nResult=success\nJob=0\n"),
        }
        asked = commands(server_program, answers)
        asked.clear()
        path = str(tmp_path / "request.json")
        answer = run_module(server_program, unit=UNIT, request=request, request_path=path, patience=0)
        return answer, asked

    return start


def test_a_request_is_there_before_the_unit_starts(start, tmp_path):
    answer, asked = start(REQUEST)
    assert answer["result"] == "success"
    assert json.loads((tmp_path / "request.json").read_text()) == REQUEST
    assert (tmp_path / "request.json").stat().st_mode & 0o777 == 0o600
    assert f"systemctl start --no-block -- {UNIT}" in asked


def test_lines_of_others_are_left_out_and_no_line_is_lost(run_module, commands):
    """The first line of all comes right after one of somebody else."""
    texts = [("mash-backup-restore", "first"), ("sshd", "not ours"), ("mash-backup-restore", "last"), ("sshd", "end")]
    said = [
        json.dumps({"SYSLOG_IDENTIFIER": name, "MESSAGE": text, "PRIORITY": "6", "__CURSOR": text})
        for name, text in texts
    ]
    answers = {"journalctl --output=json": (0, "\n".join(said)), "systemctl show": (0, "ActiveState=inactive\nJob=0\n")}
    asked = commands(server_program, answers)
    answer = run_module(server_program, unit=UNIT, cursor="a", patience=0)
    assert [line["text"] for line in answer["lines"]] == ["first", "last"]
    assert answer["cursor"] == "end"
    assert not [command for command in asked if "--identifier" in command], "journalctl of Debian 12 loses the first"


def test_a_unit_that_runs_already_is_followed_or_left_alone(start, tmp_path):
    """A connection that broke is no reason to begin anew; another request has to wait."""
    start(REQUEST)
    assert start(REQUEST, "activating")[0]["running"]
    answer, asked = start({"backup": "other"}, "activating")
    assert "is at work on another request" in answer["msg"]
    assert not [command for command in asked if "systemctl start" in command]
    assert json.loads((tmp_path / "request.json").read_text()) == REQUEST


def test_a_unit_that_is_made_for_one_run(run_module, commands):
    answers = {
        "journalctl --lines=0": (0, "-- cursor: a\n"),
        "systemctl show": (0, "ActiveState=inactive\nResult=success\nJob=0\n"),
    }
    asked = commands(server_program, answers)
    run_module(server_program, unit=UNIT, command=["/bin/echo", "one two"], success_statuses=[124], patience=0)
    (made,) = [line for line in asked if line.startswith("systemd-run ")]
    assert f"--unit={UNIT}" in made
    assert made.endswith("--property=SuccessExitStatus=124 -- /bin/echo one two")
    assert not any(line.startswith("systemctl start") for line in asked)
