# SPDX-FileCopyrightText: 2026 The selfhosting.lago authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""In which order the actions call the modules, and what they announce."""

from types import SimpleNamespace

import pytest
from ansible.errors import AnsibleActionFail
from ansible_collections.selfhosting.lago.plugins.action import product, services
from virtual_host import PRODUCTS, VirtualHost

EMPTY = {"networks": [], "directories": [], "files": [], "removed": [], "diff": []}


@pytest.fixture
def bring_up(monkeypatch):
    """Runs the action for Lago on an empty server; notes the calls, in place of carrying them out."""

    def run(name="lago", check_mode=False, fail=None, server=None, change=None):
        host = VirtualHost(change=change)
        server = server or host.server
        action = host.action(product, {"name": name, "server": server}, check_mode)
        calls = []

        def execute(module_name, module_args, task_vars):
            name = module_name.rpartition(".")[2]
            calls.append((name, module_args))
            if fail and fail(name, module_args):
                return {"failed": True, "msg": "it broke"}
            files = [file["path"] for file in module_args.get("files", [])]
            networks = [network["name"] for network in module_args.get("networks", [])]
            directories = [directory["path"] for directory in module_args.get("directories", [])]
            done = [image["reference"] for image in module_args.get("images", [])]
            units = module_args.get("units", {})
            kind = "run" if module_args.get("operation") == "step" else "start"
            reasons = [] if kind == "run" else ["it is new"]
            changes = {unit: {"action": kind, "reasons": reasons} for unit in units}
            answer = {**EMPTY, "files": files, "networks": networks, "directories": directories}
            return {**answer, "done": done, "pending": {}, "units": changes}

        monkeypatch.setattr(action, "_execute_module", execute)
        try:
            return action.run(None, host.variables), calls
        except AnsibleActionFail as failure:
            return failure, calls

    return run


def steps(calls):
    return [f"{name} {arguments['operation']}" if "operation" in arguments else name for name, arguments in calls]


def test_the_order(bring_up):
    result, calls = bring_up()
    assert result["changed"]
    assert steps(calls) == [
        "server_images",
        "server_files",
        "server_units step",
        "server_units step",
        "server_files",
        "server_units converge",
    ]
    staged, swapped = ({file["path"] for file in calls[number][1]["files"]} for number in (1, 4))
    assert "/mash/lago/migrate/env" in staged
    assert "/mash/lago/api/env" in swapped
    assert calls[1][1]["networks"]
    assert calls[1][1]["directories"]


def test_what_is_announced_is_what_is_done(bring_up):
    announced, calls = bring_up(check_mode=True)
    assert {name for name, _arguments in calls} <= {"server_files"}
    done = bring_up()[0]["changes"]
    for kind in ("networks", "images", "directories", "files"):
        assert announced["changes"][kind] == done[kind]
    assert actions_of(announced["changes"]) == actions_of(done)


@pytest.mark.parametrize(("action", "lines"), [("restart", 2), ("start", 1)])
def test_a_wait_for_minutes_is_announced(monkeypatch, action, lines):
    shown = []
    monkeypatch.setattr(product.display, "display", shown.append)
    clock = VirtualHost().action(product, {"name": "lago", "server": VirtualHost().server}, False)
    clock._task_vars = {"inventory_hostname": "lago.example.com"}
    change = {"action": action, "reasons": ["its unit changed"]}
    order = {"clock.service": {"never_down": {"minutes": [10, 20], "seconds": 215}}}
    clock.announce(SimpleNamespace(changes={"units": {"clock.service": change}}, order=order, absent={}))
    assert len(shown) == lines
    if lines == 2:
        assert shown[1] == (
            "lago.example.com: will wait up to 160 s before it restarts clock.service, if that would miss minute 10 or "
            "20 of the hour"
        )


def test_an_image_that_arrives_between_two_calls_is_done(monkeypatch):
    """The first call leaves it pending, the second finds it there and has nothing to do."""
    asked = []

    def module(self, name, **arguments):
        asked.append([image["reference"] for image in arguments["images"]])
        return {"done": ["b:1"], "pending": {"a:1": "50 %"}} if len(asked) == 1 else {"done": [], "pending": {}}

    action = VirtualHost().action(product, {"name": "lago", "server": VirtualHost().server}, False)
    action._task_vars = {"inventory_hostname": "lago.example.com"}
    monkeypatch.setattr(type(action), "module", module)
    references = ["a:1", "b:1"]
    assert action.images([{"reference": reference} for reference in references]) == references
    assert asked == [references, ["a:1"]]


def actions_of(changes):
    return {unit: change["action"] for unit, change in changes["units"].items()}


@pytest.mark.parametrize(
    ("what", "done"),
    [
        ("server_images", ["server_images"]),
        ("server_units", ["server_images", "server_files", "server_units step"]),
    ],
)
def test_nothing_that_runs_is_changed_before_the_gate_succeeded(bring_up, what, done):
    failure, calls = bring_up(fail=lambda name, _arguments: name == what)
    assert "it broke" in str(failure)
    assert steps(calls) == done


def test_a_restart_that_was_asked_for(bring_up):
    server = VirtualHost().installed(*PRODUCTS)
    _result, calls = bring_up("valkey", server=server, change={"valkey_restart_necessary": True})
    assert steps(calls) == ["server_units converge", "server_units restart"]
    assert list(calls[1][1]["units"]) == ["mash-valkey.service"]


def test_an_unchanged_product_calls_nothing(bring_up):
    result, calls = bring_up(server=VirtualHost().installed("lago"))
    assert (result["changed"], calls) == (False, [])


def test_a_product_that_is_switched_off_calls_nothing(bring_up):
    result, calls = bring_up(change={"lago_enabled": False})
    assert (result["changed"], calls) == (False, [])


def test_secrets_stand_apart(bring_up):
    _result, calls = bring_up()
    password = VirtualHost().evaluate("lago_database_password")
    for name, arguments in calls:
        if name == "server_files":
            assert password in str(arguments["secrets"])
            arguments["secrets"] = None
        assert password not in str(arguments)


def test_a_wrong_entry_names_the_product(bring_up):
    failure, calls = bring_up(change={"lago_api_environment_variables_additional_variables": "no assignment"})
    assert str(failure).startswith("lago: additional environment variables: expected NAME=value")
    assert calls == []


@pytest.fixture
def verb(monkeypatch):
    def run(operation, server=None, check_mode=False, change=None, **arguments):
        host = VirtualHost(change=change)
        server = server or VirtualHost().installed(*PRODUCTS)
        arguments = {"products": list(PRODUCTS), "server": server, "operation": operation, **arguments}
        action = host.action(services, arguments, check_mode)
        calls = []

        def execute(module_name, module_args, task_vars):
            calls.append(module_args)
            return {"changed": True, "units": {}}

        monkeypatch.setattr(action, "_execute_module", execute)
        return action.run(None, host.variables), calls

    return run


def test_start_when_all_is_well_calls_nothing(verb):
    result, calls = verb("start")
    assert (result["changed"], calls) == (False, [])


@pytest.mark.parametrize("state", [{"active": False}, {"enabled": False}, {"stale": ["x changed"]}])
def test_start(verb, state):
    server = VirtualHost().installed(*PRODUCTS)
    server["units"]["mash-valkey.service"].update(state)
    result, (call,) = verb("start", server)
    assert result["changed"]
    assert call["operation"] == "converge"
    assert call["units"]["mash-valkey.service"] == "docker.io/valkey/valkey:9.1.1-alpine"
    assert not [unit for unit in call["units"] if "migrate" in unit or "databases" in unit]


def test_start_after_a_change_looks_again(verb):
    assert len(verb("start", server_changed=True)[1]) == 1
    assert verb("start", server_changed=True, check_mode=True)[1] == []


@pytest.mark.parametrize(
    ("group", "expected"),
    [
        ("lago-api", ["mash-lago-api.service"]),
        ("valkey", ["mash-valkey.service"]),
        ("mash-lago-front", ["mash-lago-front.service"]),
        ("reverse-proxies", ["mash-container-socket-proxy.service", "mash-traefik.service"]),
    ],
)
def test_group(verb, group, expected):
    _result, (call,) = verb("restart", group=group)
    assert (call["operation"], sorted(call["units"])) == ("restart", expected)


def test_an_unknown_group_says_what_there_is(verb):
    with pytest.raises(AnsibleActionFail, match=r"'lagoo'.*Did you mean: lago.*There are: .*lago-api"):
        verb("stop", group="lagoo")
