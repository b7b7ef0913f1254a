# SPDX-FileCopyrightText: 2026 The selfhosting.lago authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""What a run would take over from MASH, and what it says about keys."""

import os
import signal
import subprocess

import pytest
import yaml
from ansible_collections.selfhosting.lago.plugins.action import preflight
from ansible_collections.selfhosting.lago.plugins.module_utils.engine import keyed_digest
from ansible_collections.selfhosting.lago.plugins.modules import server_units
from ansible_collections.selfhosting.lago.plugins.plugin_utils import keys
from ansible_collections.selfhosting.lago.plugins.plugin_utils.render import environment_lines
from ansible_collections.selfhosting.lago.plugins.plugin_utils.sha512_crypt import sha512_crypt
from ansible_collections.selfhosting.lago.plugins.plugin_utils.takeover import offer, shared_parts
from virtual_host import PRODUCTS, VirtualHost

OURS = ("traefik", "container-socket-proxy", "postgres", "valkey", "lago-api", "lago-front")


def foreign(**more):
    units = {f"mash-{name}.service": {"image": "", "uses": []} for name in OURS}
    units["mash-postgres.service"]["image"] = "docker.io/postgres:17.5-alpine"
    containers = {"mash-postgres": {"image": "docker.io/postgres:17.5-alpine", "networks": ["mash-postgres"]}}
    units.update({f"mash-{name}.service": {"image": "", "uses": uses} for name, uses in more.get("units", {}).items()})
    containers.update(
        {name: {"image": "", "networks": networks} for name, networks in more.get("containers", {}).items()}
    )
    return {
        "units": units,
        "containers": containers,
        "databases": more.get("databases", {"lago": ["C", "C"], "main": ["C", "C"]}),
        "entry_points": more.get("entry_points", ["web", "web-secure"]),
    }


def stopped_by(stranger, change=None, environment=None, answer=None, unset=(), live=None):
    """The problems and warnings of the preflight, and what it asked the server."""
    change = {"mash_playbook_dns_check_enabled": False, **(change or {})}
    lago = {"environment": environment or {}, "database": live or {}}
    server = {"foreign": stranger, "lago": lago, "postgres_major": "17"}
    host = VirtualHost(change=change, server=server, unset=unset)
    arguments = {"products": list(PRODUCTS), "server": host.server, "neighbours": [], "takes_over": True}
    plugin, asked = host.action(preflight, {**arguments, "neighbour_problems": []}), []

    def execute(module_name, module_args, task_vars):
        asked.append(module_args)
        return answer

    plugin._execute_module = execute
    found = plugin.run(None, host.variables)
    return found["problems"], found["hints"], asked


def test_what_only_lago_uses_is_taken_over_without_a_word():
    assert stopped_by(foreign()) == ([], [], [])


@pytest.mark.parametrize(
    "more",
    [
        {"units": {"notes": ["traefik"]}},
        {"units": {"notes": ["mash-postgres.service"]}},
        {"containers": {"theirs": ["mash-valkey"]}},
        {"databases": {"lago": ["C", "C"], "notes": ["C", "C"]}},
        {"entry_points": ["web", "ssh"]},
    ],
)
def test_what_others_use_needs_a_decision(more):
    (problem,), _warnings, _asked = stopped_by(foreign(**more))
    assert "mash_playbook_takeover_shared_services: true" in problem
    assert stopped_by(foreign(**more), {"mash_playbook_takeover_shared_services": True}) == ([], [], [])


def test_a_service_that_shares_nothing_is_none_of_our_business():
    assert stopped_by(foreign(units={"alone": ["mash-alone"]}, containers={"alone": ["bridge"]})) == ([], [], [])


def test_the_lines_for_lago_only_leave_nothing_to_take_over():
    stranger = foreign(units={"notes": ["traefik"]})
    host = VirtualHost(server={"foreign": stranger})
    products = {name: host.product(name) for name in PRODUCTS}
    text = offer(shared_parts(products.values(), stranger, set()), products["lago"])
    lines = text.partition("Lago only")[2].partition("\n")[2].partition("Or this")[0]
    pasted = yaml.safe_load(lines)
    assert pasted["lago_database_hostname"] == "mash-postgres"
    assert pasted["lago_api_container_additional_networks_custom"] == ["mash-postgres", "mash-valkey"]
    assert stopped_by(stranger, {**pasted, "backup_enabled": False}) == ([], [], [])
    rendered = VirtualHost(change=pasted).rendered("lago")
    unit = rendered["/etc/systemd/system/mash-lago-api.service"]["content"]
    for network in ("traefik", "mash-postgres", "mash-valkey"):
        assert f"network connect {network} mash-lago-api" in unit
    assert "@mash-postgres:5432/lago" in rendered["/mash/lago/api/env"]["content"]


def test_units_of_another_inventory_host_are_no_strangers():
    stranger = foreign(units={"lago-valkey": ["mash-valkey"]})
    host = VirtualHost(server={"foreign": stranger})
    products = [host.product(name) for name in PRODUCTS]
    assert any(part.users for part in shared_parts(products, stranger, set()))
    assert not any(part.users for part in shared_parts(products, stranger, {"mash-lago-valkey"}))


@pytest.mark.parametrize(
    ("databases", "change", "expected"),
    [
        ({"lago": ["POSIX", "C"]}, {}, None),
        ({"lago": ["en_US.utf8", "C"]}, {}, "lago (en_US.utf8/C)"),
        (None, {}, "systemctl start mash-postgres"),
        ({"lago": ["en_US.utf8", "C"]}, {"postgres_container_image_to_use": "docker.io/postgres:17.5-alpine"}, None),
    ],
)
def test_data_of_alpine(databases, change, expected):
    problems, _warnings, _asked = stopped_by(foreign(databases=databases), change)
    assert bool(problems) == bool(expected)
    if expected:
        assert expected in problems[0]


def test_the_older_derivation():
    # perl -e 'print crypt("secret", q($6$rounds=655555$lago.enc.primary))'
    expected = (
        "$6$rounds=655555$lago.enc.primary$"
        "AkWUD0SLFLDy4L6YtTLtv8fXA6p8.AcwMlBy2aoenDThMm6j156xe6AhmRvqTqYT2xC3uX5.jpkgxoCWhg6pc/"
    )
    assert sha512_crypt(b"secret", b"lago.enc.primary", 655555) == expected
    derived = VirtualHost().evaluate("'secret' | selfhosting.lago.mash_older_secret('lago.enc.primary')")
    assert derived == VirtualHost().evaluate(f"'{expected}' | to_uuid")


@pytest.mark.parametrize(
    ("password", "salt", "expected"),
    [
        # From the specification, https://akkadia.org/drepper/SHA-crypt.txt
        (
            b"Hello world!",
            b"saltstringsaltstring",
            "$6$rounds=10000$saltstringsaltst$"
            "OW1/O6BYHV6BcXZu8QVeXbDWra3Oeqh0sbHbbMCVNSnCM/UrjmM0Dp8vOuZeHBy/YTBmSK6H9qs/y3RnOaw5v.",
        ),
    ],
)
def test_sha512_crypt(password, salt, expected):
    assert sha512_crypt(password, salt, 10000) == expected


def live_environment(**changes):
    """Checksums of the environment file that vars.yml gives, with other values."""
    host = VirtualHost()
    lago = host.product("lago")
    text = lago.variable("lago_api_environment_variables_additional_variables")
    values = {**environment_lines(lago.variable("lago_api_environment"), text), **changes}
    return {name: keyed_digest(host.key, value.encode()) for name, value in values.items()}


def table(rows, configured, live, older):
    return {"payment_providers": {"rows": rows, "configured": configured, "live": live, "older": older}}


OTHER = {name: "another" for entry in list(keys.KEYS.values())[:3] for name in entry[1]}


@pytest.mark.parametrize(
    ("changes", "tables", "expected"),
    [
        ({}, table(2, 2, 2, 0), []),
        ({}, {}, []),
        ({}, table(2, 0, 0, 2), ["older derivation:"]),
        ({}, table(2, 1, 1, 1), ["No set of keys", "older derivation:", "as on the server:"]),
        # Nothing reads one of them, and nothing gets worse.
        ({}, table(2, 1, 1, 0), []),
        (OTHER, table(2, 0, 2, 0), ["as on the server:"]),
        (OTHER, table(2, 2, 0, 0), []),
        (OTHER, {}, ["as on the server:"]),
        ({"SECRET_KEY_BASE": "x"}, {}, ["Lago signs", "SECRET_KEY_BASE"]),
        ({"LAGO_RSA_PRIVATE_KEY": "x"}, {}, ["Lago signs", "LAGO_RSA_PRIVATE_KEY"]),
    ],
)
def test_keys(changes, tables, expected):
    problems, _warnings, asked = stopped_by(
        foreign(), environment=live_environment(**changes), answer={"tables": tables}
    )
    text = "\n".join(problems)
    assert bool(text) == bool(expected)
    assert all(words in text for words in expected), text
    assert set(asked[0]["candidates"]) == {"configured", "older"}
    assert "another" not in text


def test_what_is_wrong_with_values_and_with_the_takeover_is_said_together():
    change = {"postgres_connection_port": "many"}
    stranger = foreign(units={"notes": ["traefik"]})
    problems, _hints, asked = stopped_by(
        stranger, change, live_environment(SECRET_KEY_BASE="x"), {"tables": table(1, 0, 0, 1)}
    )
    beginnings = ["postgres_connection_port", "MASH's services here", "Lago's stored credentials", "Lago signs"]
    assert [problem.startswith(words) for problem, words in zip(problems, beginnings, strict=True)] == [True] * 4
    assert len(asked) == 1


def test_a_value_that_nothing_can_be_looked_up_with_is_the_only_problem():
    problems, _hints, asked = stopped_by(foreign(), {"postgres_identifier": "{{ not_there }}"}, live_environment())
    assert [problem.split()[0] for problem in problems] == ["postgres_identifier"]
    assert asked == []


def test_keys_that_nobody_can_try():
    problems, _hints, _asked = stopped_by(
        foreign(), environment=live_environment(), answer={"failed": True, "msg": "no"}
    )
    assert problems == ["no"]


def test_other_verbs_do_not_ask_what_was_there():
    host = VirtualHost(
        change={"mash_playbook_dns_check_enabled": False}, server={"foreign": foreign(units={"notes": ["traefik"]})}
    )
    arguments = {"products": list(PRODUCTS), "server": host.server, "neighbour_problems": [], "takes_over": False}
    assert host.action(preflight, arguments).run(None, host.variables)["problems"] == []


def test_a_weak_key_that_encrypts_is_a_warning():
    change = {"lago_api_environment_variable_encryption_primary_key": "changeme"}
    environment = live_environment(ENCRYPTION_PRIMARY_KEY="changeme", LAGO_ENCRYPTION_PRIMARY_KEY="changeme")
    problems, hints, _asked = stopped_by(foreign(), change, environment, {"tables": table(1, 1, 1, 0)})
    assert problems == []
    warnings = [hint for hint in hints if "payment providers" in hint]
    assert [warning.split()[0] for warning in warnings] == list(change)
    assert "changeme" not in str(warnings)


@pytest.mark.parametrize(
    ("change", "password", "warned"),
    [
        ({}, "other", False),
        ({"postgres_enabled": False, "lago_database_hostname": "mash-postgres"}, "other", True),
        ({"postgres_enabled": False, "lago_database_hostname": "mash-postgres"}, None, False),
        ({"postgres_enabled": False, "lago_database_hostname": "db.example.com"}, "other", False),
    ],
)
def test_a_password_that_nobody_changes_in_postgres(change, password, warned, tmp_path):
    host = VirtualHost()
    url = host.product("lago").variable("lago_api_environment_variable_database_url")
    old = password or url.split("@")[0].rpartition(":")[2]
    url = f"postgresql://lago:{old}@mash-postgres:5432/lago"
    environment = {**live_environment(), "DATABASE_URL": "x"}
    live = {"target": "lago@mash-postgres:5432/lago", "url": keyed_digest(host.key, url.encode())}
    _problems, hints, _asked = stopped_by(
        foreign(), {"backup_enabled": False, **change}, environment, {"tables": {}}, live=live
    )
    told = [hint for hint in hints if hint.startswith("lago_database_password is another one")]
    assert bool(told) is warned
    if told:
        (tmp_path / "env").write_text(f"A=b\nDATABASE_URL={url}\n")
        command = told[0].partition("prints the line: ")[2].replace("/mash/lago/api/env", str(tmp_path / "env"))
        line = subprocess.run(command, shell=True, check=True, capture_output=True, text=True).stdout
        assert yaml.safe_load(line) == {"lago_database_password": old}


def test_a_running_unit_of_another_playbook_is_restarted():
    stranger = foreign()
    stranger["units"]["mash-valkey.service"]["active"] = True
    host = VirtualHost(server={"foreign": stranger})
    assert host.plan("valkey").changes["units"]["mash-valkey.service"]["action"] == "restart"
    assert VirtualHost().plan("valkey").changes["units"]["mash-valkey.service"]["action"] == "start"


def test_processes_in_a_container_end_before_it_does(commands):
    commands(server_units, {"systemctl show --property=RequiredBy": (0, "mash-lago-api.service\n\n")})
    process = subprocess.Popen(["sleep", "60"])

    class Docker:
        def container(self, name):
            return {"ExecIDs": ["1", "2"]} if name == "mash-lago-api" else None

        def get(self, path):
            return {"Running": path == "/exec/1/json", "Pid": process.pid if path == "/exec/1/json" else os.getpid()}

    # Nobody but its parent can see that it ended.
    signal.signal(signal.SIGCHLD, lambda *_: process.poll())
    server_units.end_processes([], Docker())
    server_units.end_processes(["mash-valkey.service", "mash-traefik.service"], Docker())
    assert process.wait(5) == -signal.SIGTERM
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
