# SPDX-FileCopyrightText: 2026 The selfhosting.lago authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Inventory hosts of one server through the real actions: claims, order, what is refused, what is warned of."""

import copy

import pytest
from ansible_collections.selfhosting.lago.plugins.action import claims, removal, services, waves
from virtual_host import PRODUCTS, VirtualHost, merged

MAIN, DEPS = "lago.example.com", "lago.example.com-deps"
SECRET = {"mash_playbook_generic_secret_key": "a-secret-of-its-own"}
PREFIXES = {
    "mash_playbook_service_identifier_prefix": "mash-lago-",
    "mash_playbook_service_base_directory_name_prefix": "lago-",
}
# The vars.yml of a supplementary host, and what the main host says then.
VALKEY = {**SECRET, **PREFIXES, "valkey_enabled": True}
DEDICATED = {
    "valkey_enabled": False,
    "lago_redis_hostname": "mash-lago-valkey",
    "lago_api_systemd_required_services_list_custom": ["mash-lago-valkey.service"],
    "lago_api_container_additional_networks_custom": ["mash-lago-valkey"],
}
SECOND_PREFIXES = {
    "mash_playbook_service_identifier_prefix": "second-",
    "mash_playbook_service_base_directory_name_prefix": "second-",
}
SECOND = {
    **SECOND_PREFIXES,
    "mash_playbook_reverse_proxy_type": "other-traefik-container",
    "mash_playbook_reverse_proxyable_services_additional_network": "traefik",
    "traefik_enabled": False,
    "lago_hostname": "second.example.com",
}
EMPTY = VirtualHost().empty_server()


def deps(change=None, server=EMPTY):
    """A host of which the inventory says nothing else."""
    host = VirtualHost("bare.example.com", change={**VALKEY, **(change or {})}, server=server)
    host.variables["inventory_hostname"] = DEPS
    return host


def main(change=None, server=EMPTY):
    return VirtualHost(MAIN, change={**DEDICATED, **(change or {})}, server=server)


def look(*hosts, verb="setup", inventory=()):
    """The facts of each host after the tasks that look at the server."""
    facts = {}
    for host in hosts:
        result = host.action(claims, {"products": list(PRODUCTS)}).run(None, host.variables)
        facts[host.variables["inventory_hostname"]] = result["ansible_facts"]
    names = list(facts)
    for host in hosts:
        name = host.variables["inventory_hostname"]
        variables = {
            **host.variables,
            **facts[name],
            "hostvars": facts,
            "groups": {"all": [*names, *inventory]},
        }
        arguments = {"hosts": names, "server": host.server, "verb": verb}
        facts[name] |= host.action(waves, arguments).run(None, variables)["ansible_facts"]
    return facts


def problems(*hosts, **options):
    return [
        problem for facts in look(*hosts, **options).values() for problem in facts["selfhosting_neighbour_problems"]
    ]


def installed(*hosts):
    """The server with all products of these hosts."""
    server = copy.deepcopy(EMPTY)
    for host in hosts:
        there = host.installed(*[name for name in PRODUCTS if host.product(name).enabled])
        for key in ("networks", "containers", "claims", "units", "files", "images", "records"):
            server[key] = sorted({*server[key], *there[key]}) if key == "networks" else {**server[key], **there[key]}
    return server


def test_the_supplementary_host_goes_first():
    facts = look(main(), deps())
    assert [facts[name]["selfhosting_neighbour_problems"] for name in (MAIN, DEPS)] == [[], []]
    assert (facts[DEPS]["selfhosting_wave"], facts[MAIN]["selfhosting_wave"]) == (0, 1)
    assert facts[MAIN]["selfhosting_earlier"] == facts[MAIN]["selfhosting_waits_for"] == [DEPS]
    assert facts[DEPS]["selfhosting_earlier"] == []


def test_who_needs_others_stops_first():
    facts = look(main(), deps(), verb="stop")
    assert (facts[MAIN]["selfhosting_wave"], facts[DEPS]["selfhosting_wave"]) == (0, 1)
    assert facts[DEPS]["selfhosting_waits_for"] == [MAIN]


def test_hosts_that_do_not_need_each_other_wait_for_nothing():
    facts = look(main(), deps(), VirtualHost("bare.example.com", change=SECRET, server=EMPTY))
    assert sorted(one["selfhosting_wave"] for one in facts.values()) == [0, 1, 2]
    assert facts[MAIN]["selfhosting_waits_for"] == [DEPS]
    assert facts["bare.example.com"]["selfhosting_waits_for"] == []


def test_one_of_the_hosts_installs_docker_for_all():
    bare = merged(EMPTY, {"docker": {"installed": False, "running": False, "version": ""}})
    facts = look(main(server=bare), deps(server=bare))
    assert facts[DEPS]["selfhosting_docker_installation"]["enabled"]
    assert "selfhosting_docker_installation" not in facts[MAIN]
    assert look(deps(server=bare))[DEPS].get("selfhosting_docker_installation") is None


def test_a_whole_second_stack():
    facts = look(VirtualHost(server=EMPTY), second())
    assert [one["selfhosting_neighbour_problems"] for one in facts.values()] == [[], []]
    assert facts["second.example.com"]["selfhosting_waits_for"] == [MAIN]


def second(change=None, unset=(), server=EMPTY):
    host = VirtualHost(MAIN, change={**SECOND, **(change or {})}, unset=unset, server=server)
    host.variables["inventory_hostname"] = "second.example.com"
    return host


FORGOTTEN = [
    ({"mash_playbook_service_identifier_prefix": "mash-"}, ["units mash-lago-api, ", "networks mash-lago, "]),
    ({"mash_playbook_service_base_directory_name_prefix": ""}, ["/mash/lago, "]),
    ({"postgres_container_network": "mash-postgres"}, ["networks mash-postgres."]),
    ({"postgres_base_path": "/mash/postgres"}, ["paths /mash/postgres, "]),
]


@pytest.mark.parametrize(("change", "expected"), FORGOTTEN, ids=lambda value: next(iter(value)))
def test_what_two_hosts_would_both_own(change, expected):
    (problem,) = problems(VirtualHost(server=EMPTY), second(change))
    assert problem.startswith(f"{MAIN} and second.example.com are the same server and would both own: ")
    assert [text for text in expected if text not in problem] == []


@pytest.mark.parametrize(("change", "expected"), FORGOTTEN, ids=lambda value: next(iter(value)))
def test_the_same_where_only_one_host_is_part_of_the_run(change, expected):
    there = installed(VirtualHost(server=EMPTY))
    (problem,) = problems(second(change, server=there), inventory=[MAIN])
    assert problem.startswith(f"second.example.com and {MAIN} are the same server and would both own: ")
    assert [text for text in expected if text not in problem] == []
    # Who was installed first goes on as before.
    assert problems(VirtualHost(server=there), inventory=["second.example.com"]) == []


def test_two_traefiks():
    change = {"mash_playbook_reverse_proxy_type": "playbook-managed-traefik"}
    unset = ["traefik_enabled"]
    apart = {"traefik_container_network": "second", "traefik_container_web_host_bind_port": "81"}
    apart |= {"traefik_container_web_secure_host_bind_port": "444"}
    for also, expected in (
        ({}, "both own: networks traefik; ports 443/tcp, 443/udp, 80/tcp. "),
        (apart, "would both run Traefik"),
    ):
        host = second({**change, **also, "traefik_enabled": True}, unset)
        (problem,) = problems(VirtualHost(server=EMPTY), host)
        assert expected in problem
        assert "other-traefik-container" in problem


def test_a_valkey_that_is_not_there():
    first, second_problem = problems(main())
    assert first.startswith("lago_api_container_additional_networks_custom names the network 'mash-lago-valkey'. ")
    assert second_problem.startswith("lago_redis_hostname is 'mash-lago-valkey'. No container on the server ")


def test_a_valkey_that_an_earlier_run_installed():
    assert problems(main(server=installed(deps())), inventory=[DEPS]) == []


def test_a_stop_asks_for_nothing_that_is_missing():
    assert problems(main(), verb="stop") == []


def test_a_stopped_docker_cannot_be_asked():
    stopped = merged(EMPTY, {"docker": {"running": False}})
    assert problems(main(server=stopped)) == []


def test_a_reverse_proxy_network_that_is_not_there():
    assert problems(second())[0].startswith(
        "mash_playbook_reverse_proxyable_services_additional_network names the network 'traefik'. "
    )


def test_somebody_elses_redis():
    external = VirtualHost("external.example.com", server=EMPTY)
    assert problems(external) == []


def test_wrong_values_are_left_to_the_preflight():
    host = main({"lago_hostname": "{{ nothing }}", "lago_container_network": "{{ nothing }}"})
    facts = look(host, deps())
    assert facts[MAIN]["selfhosting_claims"]["units"] == []


@pytest.fixture
def verb(monkeypatch):
    def run(host, operation, inventory=(MAIN, DEPS), check_mode=False, hostvars=None, **arguments):
        arguments = {"products": list(PRODUCTS), "server": host.server, "operation": operation, **arguments}
        action = host.action(services, arguments, check_mode)
        calls = []

        def execute(module_name, module_args, task_vars):
            calls.append(module_args)
            return {
                "changed": True,
                "units": {unit: {"action": "stop", "reasons": []} for unit in module_args["units"]},
            }

        monkeypatch.setattr(action, "_execute_module", execute)
        facts = {
            "groups": {"all": list(inventory)},
            "hostvars": hostvars or {},
            "selfhosting_earlier": list(hostvars or {}),
        }
        return action.run(None, {**host.variables, **facts}), calls

    return run


@pytest.fixture
def shared():
    """A server where both hosts are up and systemd knows who names whom."""
    server = installed(main(), deps())
    server["units"]["mash-lago-valkey.service"]["needed_by"] = ["mash-lago-api.service", "somebodys.service"]
    server["containers"]["by-hand"] = {"networks": ["mash-lago-valkey"], "running": True}
    return server


@pytest.mark.parametrize("group", [None, "valkey"])
def test_stopping_what_others_need_is_warned_of(verb, shared, group):
    result, (call,) = verb(deps(server=shared), "stop", group=group)
    assert list(call["units"]) == ["mash-lago-valkey.service"]
    (warning,) = result["warnings"]
    assert warning.startswith(f"{DEPS}: mash-lago-valkey.service: stopped while others on the server need it. ")
    for who in (f"mash-lago-api.service of {MAIN} (mash-lago-valkey.service", "somebodys.service", "by-hand.service"):
        assert who in warning


def test_stopping_it_together_with_who_needs_it(verb, shared):
    del shared["containers"]["by-hand"]
    shared["units"]["mash-lago-valkey.service"]["needed_by"] = ["mash-lago-api.service"]
    stopped = {
        f"mash-lago-{part}.service": {"action": "stop"}
        for part in ("api", "api-worker", "api-clock", "migrate", "catch-up", "locks", "locks-remove")
    }
    hostvars = {MAIN: {"selfhosting_done": [{"units": stopped}]}}
    result, _calls = verb(deps(server=shared), "stop", hostvars=hostvars, check_mode=True)
    assert result["warnings"] == []


def test_stopping_lago_is_nobodys_loss(verb, shared):
    assert verb(main(server=shared), "stop", group="lago")[0]["warnings"] == []


def test_a_start_warns_of_nothing(verb, shared):
    assert "warnings" not in verb(deps(server=shared), "restart")[0]


@pytest.fixture
def remove(monkeypatch):
    def run(host, inventory=(MAIN, DEPS)):
        action = host.action(removal, {"products": list(PRODUCTS), "server": host.server})
        calls = []

        def execute(module_name, module_args, task_vars):
            calls.append(module_args)
            found = {kind: module_args.get(kind, []) for kind in removal.NOTHING}
            return {**found, "units": {unit: {"action": "remove", "reasons": []} for unit in found["units"]}}

        monkeypatch.setattr(action, "_execute_module", execute)
        return action.run(None, {**host.variables, "groups": {"all": list(inventory)}, "hostvars": {}}), calls

    return run


def test_an_instance_that_is_switched_off_says_where_its_data_is(remove, shared):
    result, (_announced, call) = remove(deps({"valkey_enabled": False}, shared))
    assert "mash-lago-valkey.service" in call["units"]
    assert [line for line in result["kept"] if line.endswith(": /mash/lago-valkey/data")]
    assert "mash-lago-api.service of lago.example.com" in result["warnings"][0]


def test_what_another_host_brought_up_is_not_removed(remove, shared):
    """A supplementary host without prefixes: its Lago is switched off and has the name of the main host's."""
    host = deps({"valkey_enabled": False, "mash_playbook_service_identifier_prefix": "mash-"}, shared)
    result, calls = remove(host)
    assert (result["changed"], calls) == (False, [])
    # A host that the inventory no longer has is this one under an earlier name.
    assert len(remove(host, inventory=[DEPS])[1]) == 2
