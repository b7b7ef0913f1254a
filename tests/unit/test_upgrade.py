# SPDX-FileCopyrightText: 2026 The selfhosting.lago authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""The way of an upgrade: which releases, what is done at each, what a user reads when there is none."""

import pytest
import yaml
from ansible.errors import AnsibleActionFail
from ansible_collections.selfhosting.lago.plugins.action import (
    product,
    rollback_consent,
    rollback_plan,
    upgrade_plan,
    upgrade_tasks,
)
from ansible_collections.selfhosting.lago.plugins.plugin_utils import upgrade
from virtual_host import REPOSITORY, VirtualHost

DATA = yaml.safe_load((REPOSITORY / "roles/lago/vars/main/upgrade_stops.yml").read_text())
FACTS = {
    "stops": DATA["lago_upgrade_stops"],
    "always": DATA["lago_upgrade_tasks"],
    "highest": "v1.53.0",
    "known": ["v1.52.1", "v1.53.0"],
}
RUNNING = {
    "images": {"mash-lago-api": "getlago/api:v1.51.0"},
    "image_ids": {"mash-lago-api": "sha256:1"},
    "schema": "20260422085615",
    "landmarks": ["20260422085615"],
    "invalid_indexes": [],
}
OPTIONS = {"without_backup": False, "closed": False, "seconds": 3600}
PERFORM = {"name": "upgrade:perform_required_jobs", "environment": {}, "endless": False}


def versions(present, wanted, begun=""):
    return [hop.version for hop in upgrade.hops(present, wanted, FACTS, begun)]


@pytest.mark.parametrize(
    ("present", "wanted", "begun", "expected"),
    [
        ("v1.51.0", "v1.52.1", "", ["v1.52.1"]),
        # A stop is made at the newest release of it that is known.
        ("v1.51.0", "v1.53.0", "", ["v1.52.1", "v1.53.0"]),
        ("v1.52.1", "v1.53.0", "", ["v1.53.0"]),
        ("v1.52.1", "v1.52.1", "", []),
        ("v1.31.0", "v1.52.1", "", ["v1.32.0", "v1.42.0", "v1.44.0", "v1.45.0", "v1.50.0", "v1.52.1"]),
        # A run died after the migration: the release is there, its tasks were not run.
        ("v1.52.1", "v1.52.1", "v1.52.1", ["v1.52.1"]),
        ("v1.52.1", "v1.53.0", "v1.52.1", ["v1.52.1", "v1.53.0"]),
        # It failed before: nothing of it is there, and another one is wanted now.
        ("v1.51.0", "v1.52.1", "v1.52.0", ["v1.52.1"]),
        ("v1.53.0", "v1.53.4", "", ["v1.53.4"]),
    ],
)
def test_the_way(present, wanted, begun, expected):
    assert versions(present, wanted, begun) == expected


def test_what_is_done_at_each():
    first, second = upgrade.hops("v1.51.0", "v1.53.0", FACTS)
    assert first.tasks == [PERFORM]
    assert first.why == ["mandatory stop v1.52.0 before v1.53.0: rails upgrade:perform_required_jobs"]
    assert (second.tasks, second.why) == ([PERFORM], ["it is where you want to go"])


def test_tasks_with_variables_and_those_that_never_end():
    way = {hop.version: hop for hop in upgrade.hops("v1.41.0", "v1.46.0", FACTS)}
    assert way["v1.42.0"].tasks == [{**PERFORM, "endless": True}]
    assert [task["environment"] for task in way["v1.45.0"].tasks] == [{}, {"DRY_RUN": "false"}, {}]


def test_what_only_a_person_can_do_is_no_task_and_stops_the_way():
    way = {hop.version: hop for hop in upgrade.hops("v1.24.0", "v1.29.0", FACTS)}
    assert list(way) == ["v1.25.0", "v1.28.1", "v1.29.0"]
    assert [bool(hop.by_hand) for hop in way.values()] == [True, True, False]
    assert way["v1.25.0"].tasks == []


@pytest.mark.parametrize(
    ("present", "wanted", "words"),
    [
        ("", "v1.52.1", "just install-all"),
        ("v1.52.1", "v1.51.0", "just rollback"),
        ("v1.52.1", "v1.54.0", "just update"),
    ],
)
def test_where_there_is_no_way(present, wanted, words):
    with pytest.raises(upgrade.UpgradeError, match=words):
        versions(present, wanted)


@pytest.mark.parametrize(
    ("asked", "configured", "expected"),
    [
        ("v1.51.2", "v1.51.0", "v1.51.2"),
        ("1.51.2", "v1.51.0", "v1.51.2"),
        ("", "v1.51.0", "v1.52.1"),
        ("", "v1.51.3", "v1.51.3"),
    ],
)
def test_where_to(asked, configured, expected):
    assert upgrade.destination("v1.51.0", asked, configured, "v1.52.1") == expected


def test_no_release():
    with pytest.raises(upgrade.UpgradeError, match=r"'newest' is no Lago version.*just upgrade v1\.52\.1"):
        upgrade.destination("v1.51.0", "newest", "v1.51.0", "v1.52.1")


def test_a_run_that_died_goes_on_with_what_it_noted():
    first = upgrade.began(None, "v1.51.0", "v1.53.0", {}, 1)
    died = {**first, "hop": "v1.52.1", "backup": {"snapshot": "abc"}}
    assert upgrade.unfinished(died) == "v1.52.1"
    again = upgrade.began(died, "v1.52.1", "v1.53.0", {}, 2)
    assert (again["from"], again["backup"], again["began"]) == ("v1.51.0", {"snapshot": "abc"}, 1)
    done = {**again, "state": "done"}
    assert upgrade.unfinished(done) == ""
    assert upgrade.began(done, "v1.53.0", "v1.54.0", {}, 3)["from"] == "v1.53.0"


def test_a_failed_gate_and_containers_that_never_get_ready_are_told_apart():
    indexes = upgrade.leftovers(["public.half"], ["docker", "exec", "mash-postgres", "psql", "--command"])
    gate = upgrade.failed("one", "v1.53.0", "v1.52.1", {"msg": "it broke", "phase": "gate"}, RECORD, indexes)
    assert "v1.52.1 goes on serving" in gate
    assert "psql --command 'DROP INDEX CONCURRENTLY public.half'" in gate
    assert "rollback" not in gate
    ready = upgrade.failed(
        "one", "v1.53.0", "v1.52.1", {"msg": "it broke", "phase": "converge", "past_gate": True}, RECORD, []
    )
    assert "Or go back to v1.51.0 and backup 01234567: just rollback -l one" in ready
    assert "goes on serving" not in ready
    left = upgrade.failed(
        "one", "v1.53.0", "v1.52.1", {"msg": "work is left", "phase": "leftovers", "past_gate": True}, RECORD, []
    )
    assert "v1.53.0, which runs" in left
    assert "do not get ready" not in left
    assert "just upgrade -l one" in left


def test_a_task_is_ended_inside_of_its_container():
    command = upgrade_tasks.task_command("worker", {**PERFORM, "environment": {"DRY_RUN": "false"}}, 60)
    assert command[:6] == ["/usr/bin/docker", "exec", "worker", "timeout", "--kill-after=30", "60"]
    assert command[6:8] == ["env", "DRY_RUN=false"]
    assert command[-1] == "upgrade:perform_required_jobs"
    assert not any("$" in word for word in command)


RECORD = {
    "state": "done",
    "from": "v1.51.0",
    "to": "v1.52.1",
    "backup": {"snapshot": "0123456789abcdef", "backup_time": 0},
    "images": {"mash-lago-api": "sha256:1"},
    "closed": False,
    "hop": "",
}


def test_to_which_state_there_is_a_way_back():
    assert upgrade.way_back(RECORD) is RECORD
    text = "\n".join(upgrade.announced(RECORD, "v1.52.1"))
    assert "from v1.52.1 to v1.51.0" in text
    assert "backup 01234567 of 1970-01-01 00:00:00 UTC" in text
    assert "Jobs and their locks in Valkey are those of the backup" in text


def test_a_way_back_leaves_jobs_in_a_queue_that_is_elsewhere():
    record = {**RECORD, "backup": {**RECORD["backup"], "queue_elsewhere": "redis.example.com"}}
    text = "\n".join(upgrade.announced(record, "v1.52.1"))
    assert "Jobs in redis.example.com stay as they are: what the newer release queued may not fit." in text
    assert "Database and missing files come from backup" in text
    assert "in Valkey are those of the backup" not in text


@pytest.mark.parametrize(
    ("record", "words"),
    [
        (None, "No upgrade is recorded.* just backups lists all backups; just restore NAME"),
        ({**RECORD, "state": "rolled back"}, "No upgrade is recorded"),
        ({**RECORD, "backup": {}}, "without a backup.* just backups lists others; just restore NAME"),
    ],
)
def test_where_there_is_no_way_back(record, words):
    with pytest.raises(upgrade.UpgradeError, match=words):
        upgrade.way_back(record)


@pytest.fixture
def back(monkeypatch):
    """Runs the plan of a way back; what it says is in a list, warnings with it."""
    shown = []
    monkeypatch.setattr(rollback_plan.display, "display", shown.append)
    monkeypatch.setattr(rollback_plan.display, "warning", shown.append)

    def run(record=RECORD, images=None, confirm="lago.example.com"):
        units = {
            f"mash-{name}.service": {"product": product, "enabled": True, "image": name}
            for name, product in (("lago-api", "mash-lago"), ("lago-front", "mash-lago"), ("valkey", "mash-valkey"))
        }
        server = {
            "lago": {"version": "v1.52.1"},
            "records": {"mash-lago-upgrade": record},
            "images": images or {},
            "units": units,
        }
        host = VirtualHost(server=server)
        action = host.action(rollback_plan, {"server": host.server, "confirm": confirm})
        return action.run(None, host.variables), "\n".join(shown)

    return run


def test_only_what_holds_data_of_lago_is_stopped(back):
    result, shown = back()
    assert result["units"] == {"mash-lago-api.service": "lago-api"}
    assert result["record"] == RECORD
    assert "not the one that ran before" not in shown


def test_an_image_that_was_pulled_anew_is_no_secret(back):
    assert "not the one that ran before" in back(images={"getlago/api:v1.51.0": "sha256:2"})[1]
    assert "not the one that ran before" not in back(images={"getlago/api:v1.51.0": "sha256:1"})[1].splitlines()[-1]


def test_a_way_back_that_died_says_so(back):
    assert "an earlier run began with that" in back({**RECORD, "state": "rolling back"})[1]
    with pytest.raises(AnsibleActionFail, match="and this host is lago"):
        back(confirm="another")


@pytest.mark.parametrize("state", ["put back", "sending again"])
def test_a_way_back_that_came_far_says_only_what_is_left(back, state):
    shown = back({**RECORD, "state": state})[1]
    assert "What is left" in shown
    assert "are sent again" in shown
    assert "Lago is stopped" not in shown
    assert "is kept under another name" not in shown


@pytest.mark.parametrize(
    ("rows", "closed", "given", "expected"),
    [
        (0, False, None, True),
        (10, True, None, True),
        (10, False, None, False),
        (10, False, "9", False),
        (10, False, "10", True),
        (10, False, "yes", False),
    ],
)
def test_what_came_in_goes_only_when_somebody_has_seen_how_much_it_is(rows, closed, given, expected):
    assert upgrade.consented({"rows": rows, "events": 0}, closed, given) is expected


def test_the_question_names_the_number(monkeypatch):
    host = VirtualHost()
    asked = []
    monkeypatch.setattr(rollback_consent.confirmation, "ask", lambda question: asked.append(question) or "12")
    arguments = {"found": {"rows": 12, "events": 5}, "closed": False}
    host.action(rollback_consent, arguments).run(None, host.variables)
    assert "12 rows were written since the backup, 5 of them events" in asked[0]
    with pytest.raises(AnsibleActionFail, match="confirm_rows=12"):
        host.action(rollback_consent, {**arguments, "confirm_rows": "3"}).run(None, host.variables)
    assert len(asked) == 1


@pytest.fixture
def plan(monkeypatch):
    """Runs the action for a server with Lago; what it prints is in a list."""
    shown = []
    monkeypatch.setattr(upgrade_plan.display, "display", shown.append)

    def run(
        version="", present="v1.51.0", running=None, change=None, record=None, print_only=True, foreign=None, **options
    ):
        records = {"mash-lago-upgrade": record} if record else {}
        host = VirtualHost(
            change={"backup_enabled": True, **(change or {})},
            server={"lago": {"version": present}, "records": records, "foreign": foreign or {}},
        )
        arguments = {
            "server": host.server,
            "version": version,
            "options": {**OPTIONS, **options},
            "print_only": print_only,
        }
        action = host.action(upgrade_plan, arguments)
        monkeypatch.setattr(action, "_execute_module", lambda **_arguments: {**RUNNING, **(running or {})})
        return action.run(None, host.variables), "\n".join(shown)

    return run


def test_the_plan_says_what_is_there_and_what_happens(plan):
    result, text = plan("v1.52.1")
    assert [hop["version"] for hop in result["hops"]] == ["v1.52.1"]
    for words in (
        "Lago v1.51.0 is there (schema 20260422085615)",
        "mash-lago-api runs getlago/api:v1.51.0",
        "1. v1.52.1",
        "why:       mandatory stop v1.52.0",
        "migration: ./scripts/migrate.sh",
        "task:      rails upgrade:perform_required_jobs, at most 3600 s",
        "backup:    made and restored on trial",
        "docs.getlago.com",
    ):
        assert words in text


def test_nothing_to_upgrade_asks_nobody(plan):
    result, text = plan(present="v1.52.1", running={"landmarks": []}, print_only=False)
    assert result["hops"] == []
    assert "nothing to upgrade" in text


def test_nobody_there_to_confirm(plan):
    with pytest.raises(AnsibleActionFail, match=r"confirm=lago\.example\.com"):
        plan(print_only=False)


@pytest.mark.parametrize(
    ("change", "options", "words"),
    [
        ({"backup_enabled": False}, {}, "-e upgrade_without_backup=true"),
        ({"lago_api_container_http_host_bind_port": "3000"}, {"closed": True}, "another way to the API"),
        ({"lago_workers": [{"kind": "meilisearch"}]}, {}, "for v1.52.1: lago_workers"),
    ],
)
def test_what_has_to_be_set_first(plan, change, options, words):
    with pytest.raises(AnsibleActionFail, match=words):
        plan(change=change, **options)


def test_not_while_it_is_still_of_mash(plan):
    foreign = {"units": {"mash-lago-api.service": {"active": True}}}
    with pytest.raises(AnsibleActionFail, match="Take it over first"):
        plan(foreign=foreign)


@pytest.mark.parametrize("state", ["rolling back", "put back", "sending again"])
def test_not_while_a_way_back_is_not_done(plan, state):
    with pytest.raises(AnsibleActionFail, match="A way back was begun here and is not done"):
        plan(record={**RECORD, "state": state})


def test_a_database_that_is_newer_than_the_images(plan):
    with pytest.raises(AnsibleActionFail, match=r"migrated by v1\.52\.0 or newer"):
        plan(running={"landmarks": ["20260422085615", "20260604180513"]})


def test_a_failure_says_in_which_phase_it_was(monkeypatch):
    host = VirtualHost()
    action = host.action(product, {"name": "lago", "server": host.server})

    def execute(module_name, module_args, task_vars):
        if module_args.get("operation") == "step":
            return {"failed": True, "msg": "it broke"}
        return {"networks": [], "directories": [], "files": [], "diff": [], "pending": {}, "units": {}}

    monkeypatch.setattr(action, "_execute_module", execute)
    with pytest.raises(AnsibleActionFail) as failure:
        action.run(None, host.variables)
    result = failure.value.result
    assert (result["phase"], result["past_gate"], failure.value.message) == ("gate", False, "it broke")


def test_work_that_is_left_is_no_container_that_does_not_get_ready(monkeypatch):
    host = VirtualHost()
    action = host.action(product, {"name": "lago", "server": host.server})
    made = action.plan

    def plan(*arguments):
        found = made(*arguments)
        found.leftovers, found.leftovers_limit = {"mash-lago-worker-x.service": ["ask"]}, -1
        return found

    def execute(module_name, module_args, task_vars):
        if module_args.get("operation") == "waiting":
            return {"waiting": {"mash-lago-worker-x.service": "3 in x"}}
        return {"networks": [], "directories": [], "files": [], "diff": [], "pending": {}, "units": {}}

    monkeypatch.setattr(action, "plan", plan)
    monkeypatch.setattr(action, "_execute_module", execute)
    with pytest.raises(AnsibleActionFail, match="3 in x") as failure:
        action.run(None, host.variables)
    assert (failure.value.result["phase"], failure.value.result["past_gate"]) == ("leftovers", True)


@pytest.mark.parametrize("closed", [False, True])
def test_a_closed_api_goes_before_every_other_route(closed):
    """Without a number of its own, Traefik takes the length of a router's rule for its priority."""
    files = VirtualHost(change={"lago_ingest_closed": closed}).rendered("lago")
    dynamic = yaml.safe_load(files["/mash/traefik/config/dynamic/mash-lago.yml"]["content"])["http"]
    router = dynamic["routers"]["mash-lago-unavailable"]
    longest = max(len(line) for line in files["/mash/lago/api/labels"]["content"].splitlines())
    assert (router["priority"] > longest) is closed
    assert dynamic["services"][router["service"]]["loadBalancer"]["servers"] == []
    (middleware,) = router["middlewares"]
    assert int(dynamic["middlewares"][middleware]["headers"]["customResponseHeaders"]["Retry-After"]) > 0


@pytest.fixture
def tasks(monkeypatch):
    """Runs the tasks of a release; the server answers with how each ended, and what is left in the queue each time."""

    def run(results, left, seconds=60, task=PERFORM, terminal=True):
        host, calls, shown = VirtualHost(), [], []
        results, left = iter(results), iter(left)
        monkeypatch.setattr(upgrade_tasks.display, "display", shown.append)
        monkeypatch.setattr(upgrade_tasks.sys.stdout, "isatty", lambda: terminal, raising=False)
        arguments = {"container": "worker", "tasks": [task], "waiting": ["ask"], "seconds": seconds, "server": {}}
        action = host.action(upgrade_tasks, arguments)

        def execute(module_name, module_args, task_vars):
            name = module_name.rpartition(".")[2]
            calls.append((name, module_args))
            if name == "server_program":
                line = {"text": "still to do: 1", "progress": False}
                return {"running": False, "result": next(results), "lines": [line], "cursor": "c"}
            return {"waiting": {"worker.service": next(left)}}

        monkeypatch.setattr(action, "_execute_module", execute)
        return action.run(None, host.variables), calls, "\n".join(shown)

    return run


def test_the_next_release_waits_for_the_jobs_of_this_one(tasks):
    result, calls, shown = tasks(["success"], ["3 in low_priority", "1 in low_priority", ""])
    assert result["changed"]
    assert [name for name, _arguments in calls] == ["server_program", *["server_units"] * 3]
    program, unit = calls[0][1], calls[1][1]
    assert (program["unit"], program["command"][:3]) == ("worker-task.service", ["/usr/bin/docker", "exec", "worker"])
    assert program["success_statuses"] == []
    assert unit["leftovers"] == {"worker.service": ["ask"]}
    assert program["lease"] == unit["lease"], "nobody else changes the server meanwhile"
    assert "waiting for jobs: 3 in low_priority, 0:00 of at most 1:00" in shown
    assert "waiting" not in tasks(["success"], ["3 in low_priority", ""], terminal=False)[2]


def test_a_task_that_fails_names_how_to_go_on(tasks):
    with pytest.raises(AnsibleActionFail) as failure:
        tasks(["exit-code"], [])
    for said in ("rails upgrade:perform_required_jobs failed", "still to do: 1", "just upgrade -l", "=120"):
        assert said in failure.value.message


def test_jobs_that_never_end(tasks):
    with pytest.raises(AnsibleActionFail, match="after -1 s jobs are left: 3 in low_priority"):
        tasks(["success"], ["3 in low_priority"], seconds=-1)


def test_a_task_that_never_ends_may_be_ended(tasks):
    _result, calls, _shown = tasks(["success"], [""], task={**PERFORM, "endless": True})
    assert calls[0][1]["success_statuses"] == [124]
