# SPDX-FileCopyrightText: 2026 The selfhosting.lago authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""The plan of a run, for real products against invented servers."""

import functools
from types import SimpleNamespace

import pytest
from ansible_collections.selfhosting.lago.plugins.module_utils.engine import keyed_digest
from ansible_collections.selfhosting.lago.plugins.plugin_utils.plan import differs, units_of
from virtual_host import PRODUCTS, VirtualHost, apply, merged

LAGO = ["mash-lago-api-clock", "mash-lago-api-worker", "mash-lago-api", "mash-lago-front", "mash-lago-pdf"]
PROCESSES = {"mash-lago-api-clock.service", "mash-lago-api-worker.service", "mash-lago-api.service"}
NEW_VERSION = {"lago_version": "v1.52.2"}


@functools.cache
def installed():
    return VirtualHost().installed(*PRODUCTS)


def lago(change=None, server=None):
    """The plan of Lago for a server where everything is installed, but for what the caller changes."""
    return VirtualHost(change=change).plan("lago", merged(installed(), server))


def names(files):
    return {file["path"] for file in files}


@pytest.mark.parametrize("product", PRODUCTS)
def test_on_an_empty_server_everything_is_new(product):
    host = VirtualHost()
    changes = host.plan(product).changes
    # A product without containers has programs only.
    containers = bool(host.product(product).services())
    assert bool(changes["networks"]) == bool(changes["images"]) == containers
    assert changes["files"]
    assert all(change == {"action": "start", "reasons": ["it is new"]} for change in units(changes).values())


def units(changes):
    return {unit: change for unit, change in changes["units"].items() if change["action"] != "run"}


@pytest.mark.parametrize("product", PRODUCTS)
def test_an_unchanged_server_has_an_empty_plan(product):
    plan = VirtualHost().plan(product, installed())
    assert plan.empty, plan.changes
    assert plan.changes == {"networks": [], "images": [], "directories": [], "files": [], "units": {}}


def test_a_changed_shared_environment_restarts_those_that_read_it():
    plan = lago({"lago_environment_variables_tz": "Europe/Berlin"})
    assert plan.units == {
        unit: {"action": "restart", "reasons": ["/mash/lago/api/env changed"]} for unit in sorted(PROCESSES)
    }
    assert names(plan.swap_files) == {"/mash/lago/api/env"}
    assert names(plan.stage_files) == {"/mash/lago/migrate/env"}
    assert plan.gates == []


def test_a_changed_front_configuration_restarts_the_front_alone():
    plan = lago({"lago_front_environment_variable_app_env": "staging"})
    assert plan.units == {
        "mash-lago-front.service": {"action": "restart", "reasons": ["/mash/lago/front/env-config.js changed"]}
    }
    assert names(plan.swap_files) == {"/mash/lago/front/env-config.js"}


def test_changed_labels_restart_their_container_alone():
    plan = lago({"lago_front_container_labels_additional_labels_custom": ["a=b"]})
    assert list(plan.units) == ["mash-lago-front.service"]
    assert plan.units["mash-lago-front.service"]["reasons"][0] == "/mash/lago/front/labels changed"


def test_a_changed_unit_restarts_its_container_alone():
    plan = lago({"lago_pdf_container_tmpfs_tmp_size": "1g"})
    reasons = ["/etc/systemd/system/mash-lago-pdf.service changed"]
    assert plan.units == {"mash-lago-pdf.service": {"action": "restart", "reasons": reasons}}


def test_a_file_that_is_watched_restarts_nothing():
    extension = "http: {middlewares: {mine: {compress: {}}}}"
    plan = VirtualHost(change={"traefik_provider_configuration_extension_yaml": extension}).plan("traefik", installed())
    assert plan.changes["files"] == ["/mash/traefik/config/dynamic/main.yml"]
    assert plan.units == {}


@pytest.mark.parametrize(
    ("state", "expected"),
    [
        ({"active": False, "state": "failed/failed"}, {"action": "start", "reasons": ["it is failed/failed"]}),
        ({"enabled": False}, {"action": "enable", "reasons": ["it would not come up at boot"]}),
        ({"stale": ["x is another image now"]}, {"action": "restart", "reasons": ["x is another image now"]}),
        (
            {"stale": ["its container is gone"], "enabled": False},
            {"action": "restart", "reasons": ["its container is gone"]},
        ),
    ],
)
def test_state_of_a_unit(state, expected):
    plan = lago(server={"units": {"mash-lago-api.service": state}})
    assert plan.units == {"mash-lago-api.service": expected}
    assert plan.changes["files"] == []


def test_a_reason_is_given_once():
    stale = {"units": {"mash-lago-front.service": {"stale": ["/mash/lago/front/env-config.js changed"]}}}
    plan = lago({"lago_front_environment_variable_app_env": "staging"}, stale)
    assert plan.units["mash-lago-front.service"]["reasons"] == ["/mash/lago/front/env-config.js changed"]


def test_a_new_version_stages_the_migration_and_swaps_the_rest():
    plan = lago(NEW_VERSION)
    assert plan.changes["images"] == ["docker.io/getlago/api:v1.52.2", "docker.io/getlago/front:v1.52.2"]
    assert [step.unit for step in plan.gates] == ["mash-lago-migrate.service"]
    assert plan.gates[0].borrow == {}
    assert names(plan.stage_files) == {"/etc/systemd/system/mash-lago-migrate.service"}
    assert names(plan.swap_files) == {
        f"/etc/systemd/system/mash-lago-{name}.service"
        for name in ("api", "api-worker", "api-clock", "front", "catch-up", "locks", "locks-remove")
    }
    assert plan.units.keys() == PROCESSES | {"mash-lago-front.service"}


def test_what_is_put_back_is_as_it_was_and_not_as_the_variables_say():
    stored = {"directory": "/kept", "paths": ["/mash/lago/api/env", "/mash/lago/migrate/env", "/mash/lago/gone"]}
    plan = VirtualHost(change=NEW_VERSION).plan("lago", installed(), stored)
    assert {file["path"]: file.get("source") for file in plan.stage_files} == {
        "/etc/systemd/system/mash-lago-migrate.service": None,
        "/mash/lago/migrate/env": "/kept/mash/lago/migrate/env",
    }
    sources = {file["path"]: file["source"] for file in plan.swap_files if file.get("source")}
    assert sources == {"/mash/lago/api/env": "/kept/mash/lago/api/env"}


@pytest.mark.parametrize("product", PRODUCTS)
@pytest.mark.parametrize("change", [{}, NEW_VERSION, {"mash_playbook_generic_secret_key": "another"}])
def test_what_is_staged_is_read_by_nothing_that_runs(product, change):
    host = VirtualHost(change=change)
    for server in (host.empty_server(), installed()):
        staged = names(host.plan(product, server).stage_files)
        files = host.rendered(product)
        for service in host.product(product).services():
            # A step runs when the plan says so; none at boot.
            if service["kind"] == "one-shot" and service["phase"] != "after":
                continue
            unit = files[f"/etc/systemd/system/{service['name']}.service"]["content"]
            read = [f"/etc/systemd/system/{service['name']}.service", *words_of_paths(unit)]
            assert not staged & set(read)
            mounted = [mount["source"] for mount in service["mounts"] if mount["source"]]
            assert not [path for path in staged for source in mounted if f"{path}/".startswith(f"{source}/")]


def words_of_paths(unit):
    """Every path in a unit but those of the engine's programs, which can be replaced at any time."""
    separated = unit.replace("=", " ").replace(",", " ").split()
    return [word for word in separated if word.startswith("/") and "/selfhosting-lago/container-" not in word]


@pytest.mark.parametrize(
    ("change", "record", "reason"),
    [
        ({}, None, "it has not succeeded on this server yet"),
        (NEW_VERSION, {}, "what it works with changed"),
        ({"lago_database_hostname": "other.example.com"}, {}, "what it works with changed"),
        ({"lago_migrate_environment_variable_lago_create_org": True}, {}, "what it works with changed"),
        ({}, {"image_id": "sha256:of what this tag was before"}, "its image is new"),
        ({}, {"inputs": "of another database"}, "what it works with changed"),
    ],
)
def test_the_gate_runs(change, record, reason):
    records = dict(installed()["records"])
    seen = records.pop("mash-lago-migrate")
    if record is not None:
        records["mash-lago-migrate"] = {**seen, **record}
    plan = VirtualHost(change=change).plan("lago", {**installed(), "records": records})
    (gate,) = plan.gates
    assert gate.record["path"] == "/mash/selfhosting-lago/records/mash-lago-migrate.json"
    assert plan.changes["units"]["mash-lago-migrate.service"] == {"action": "run", "reasons": [reason]}


def test_the_gate_does_not_run_for_what_the_migration_does_not_depend_on():
    assert lago({"lago_environment_variables_tz": "Europe/Berlin"}).gates == []


def test_a_record_holds_no_secret():
    (gate,) = lago(OTHER_PASSWORD).gates
    assert "swordfish" not in str(gate.record)


def live(password, host="mash-postgres"):
    """What the probe says about the database of the processes that run."""
    url = f"postgresql://lago:{password}@{host}:5432/lago"
    digest = keyed_digest(VirtualHost().key, url.encode())
    return merged(installed(), {"lago": {"database": {"target": f"lago@{host}:5432/lago", "url": digest}}})


OTHER_PASSWORD = {"lago_database_password": "swordfish"}


def test_a_password_changes_with_the_restart():
    plan = VirtualHost(change=OTHER_PASSWORD, server=live("old")).plan("lago")
    assert [step.unit for step in plan.swaps] == ["mash-lago-database-password.service"]
    assert plan.gates == []
    assert plan.units.keys() == PROCESSES
    assert names(plan.stage_files) == {"/mash/lago/migrate/env", "/mash/postgres/mash-lago-password.sql"}
    assert names(plan.swap_files) == {"/mash/lago/api/env"}


def test_a_migration_before_that_uses_the_password_that_still_counts():
    plan = VirtualHost(change={**OTHER_PASSWORD, **NEW_VERSION}, server=live("old")).plan("lago")
    (migration,) = plan.gates
    assert migration.borrow == {
        "file": "/mash/lago/api/env",
        "names": ["DATABASE_URL"],
        "path": "/mash/lago/migrate/env",
    }
    assert [step.unit for step in plan.swaps] == ["mash-lago-database-password.service"]


@pytest.mark.parametrize("server", [live("swordfish"), live("old", "elsewhere"), installed()])
def test_a_password_that_nothing_differs_from_is_set_before_the_migration(server):
    """Another run died after the swap, Lago moves from another database, or nothing is there yet."""
    plan = VirtualHost(change={**OTHER_PASSWORD, **NEW_VERSION}, server=server).plan("lago")
    assert [step.unit for step in plan.gates] == ["mash-lago-database-password.service", "mash-lago-migrate.service"]
    assert plan.swaps == []
    assert plan.gates[1].borrow == {}


def test_a_database_that_is_not_ours_keeps_its_passwords():
    plan = VirtualHost(change={**OTHER_PASSWORD, "lago_database_hostname": "db.example.com"}).plan("lago", installed())
    assert [step.unit for step in plan.gates] == ["mash-lago-migrate.service"]
    assert plan.swaps == []


def test_postgres_leaves_the_password_of_a_role_to_the_service_that_uses_it():
    host = VirtualHost(
        change={"postgres_managed_databases_additional": [{"name": "n", "username": "n", "password": "p"}]}
    )
    text = host.rendered("postgres")["/mash/postgres/databases.sql"]["content"]
    assert "ALTER ROLE \"n\" LOGIN PASSWORD 'p'" in text
    assert 'ALTER ROLE "lago"' not in text


def test_another_database_runs_what_follows_postgres():
    postgres = VirtualHost().plan("postgres", merged(installed(), {"postgres_database": "another"}))
    assert [step.unit for step in postgres.after] == ["mash-postgres-databases.service"]
    assert postgres.units == {}


def test_a_run_that_died_after_the_gate_is_completed():
    host = VirtualHost(change=NEW_VERSION)
    server = merged(installed(), {})
    plan = host.plan("lago", server)
    half = type(plan)(images=plan.images, stage_files=plan.stage_files, gates=plan.gates, all_units={})
    apply(half, server, "mash-lago", host.key)
    rest = host.plan("lago", server)
    assert rest.gates == rest.stage_files == rest.images == []
    assert rest.swap_files == plan.swap_files
    assert rest.units == plan.units


@pytest.mark.parametrize("change", [NEW_VERSION, {"lago_hostname": "new.example.com"}, {"lago_enabled": True}])
def test_what_was_carried_out_is_not_planned_again(change):
    host = VirtualHost(change=change)
    server = merged(installed(), {})
    apply(host.plan("lago", server), server, "mash-lago", host.key)
    assert host.plan("lago", server).empty


def test_units_that_nothing_asks_for_any_more():
    old = {"mash-lago-old.service": {**installed()["units"]["mash-lago-api.service"]}}
    other = {"other.service": {**old["mash-lago-old.service"], "product": "mash-valkey"}}
    assert lago(server={"units": {**old, **other}}).obsolete == ["mash-lago-old.service"]


def test_workers_that_stop_for_another_postgres_are_announced():
    host = VirtualHost(change={"postgres_container_memory_limit": "3g"})
    seen = {
        "mash-postgres.service": {"needed_by": ["mash-lago-api.service", "mash-lago-api-worker.service"]},
        "mash-lago-api-worker.service": {"quiet": "TSTP"},
    }
    server = merged(installed(), {"units": seen})
    units = host.plan("postgres", server).units
    assert units.keys() == {"mash-postgres.service", "mash-lago-api-worker.service"}
    assert units["mash-lago-api-worker.service"] == {
        "action": "restart",
        "reasons": ["mash-postgres.service restarts"],
    }
    server["units"]["mash-lago-api-worker.service"]["active"] = False
    assert host.plan("postgres", server).units.keys() == {"mash-postgres.service"}


def test_a_restart_that_was_asked_for():
    host = VirtualHost(change={"valkey_restart_necessary": True})
    plan = host.plan("valkey", installed())
    image = host.evaluate("valkey_container_image")
    assert plan.restarts == {"mash-valkey.service": image}
    reasons = ["a ..._restart_necessary variable of valkey says so"]
    assert plan.changes["units"] == {"mash-valkey.service": {"action": "restart", "reasons": reasons}}
    # What is restarted anyway is not restarted twice.
    changed = VirtualHost(change={"valkey_restart_necessary": True, "valkey_maxmemory": "64mb"})
    assert changed.plan("valkey", installed()).restarts == {}


def test_a_product_that_is_switched_off_loses_its_units():
    steps = [f"mash-lago-{name}" for name in ("migrate", "database-password", "catch-up", "locks", "locks-remove")]
    names = ["mash-lago-watchdog.timer", *(f"{name}.service" for name in [*LAGO, *steps, "mash-lago-watchdog"])]
    assert units_of([SimpleNamespace(identifier="mash-lago")], installed()) == sorted(names)
    assert units_of([SimpleNamespace(identifier="mash-nothing")], installed()) == []


@pytest.mark.parametrize("seen", [{"mode": "0755"}, {"owner": "root"}, {"group": "1000"}])
def test_directories(seen):
    plan = lago(server={"files": {"/mash/lago/data": seen}})
    assert plan.changes["directories"] == ["/mash/lago/data"]
    assert plan.changes["units"] == {}


@pytest.mark.parametrize("seen", [{"mode": "0644"}, {"owner": "root"}, {"digest": "x"}])
def test_files(seen):
    plan = lago(server={"files": {"/mash/lago/front/labels": seen}})
    assert plan.changes["files"] == ["/mash/lago/front/labels"]


def test_a_network_and_an_image_that_are_gone():
    server = merged(installed(), {})
    server["networks"].remove("mash-lago-pdf")
    del server["images"]["getlago/lago-gotenberg:8.15"]
    plan = VirtualHost().plan("lago", server)
    assert plan.networks == [{"name": "mash-lago-pdf", "internal": True, "ipv6": False}]
    assert plan.changes["images"] == ["docker.io/getlago/lago-gotenberg:8.15"]


def test_changes_hold_no_content():
    plan = VirtualHost().plan("lago")
    secret = VirtualHost().evaluate("lago_database_password")
    assert any(secret in file["content"] for file in plan.swap_files)
    assert secret not in str(plan.changes)


@pytest.mark.parametrize(
    ("seen", "expected"),
    [
        (None, True),
        ({"mode": "0640", "owner": "mash", "group": "mash", "digest": "d"}, False),
        ({"mode": "0640", "owner": "mash", "group": "mash"}, True),
        ({"mode": "1640", "owner": "mash", "group": "mash", "digest": "d"}, True),
    ],
)
def test_differs(seen, expected):
    assert differs({"mode": "640", "owner": "mash", "group": "mash"}, seen, "d") is expected


@pytest.mark.parametrize(
    ("change", "restarted", "gate"),
    [
        ({"lago_pdf_container_image_tag": "8.16"}, {"mash-lago-pdf.service"}, False),
        ({"lago_front_container_image_tag": "v1.52.2"}, {"mash-lago-front.service"}, False),
        ({"lago_api_container_image_tag": "v1.52.2"}, PROCESSES, True),
        ({"lago_api_clock_container_memory_limit": "2g"}, {"mash-lago-api-clock.service"}, False),
        ({"lago_worker_drain_seconds": 90}, {"mash-lago-api-worker.service"}, False),
        ({"lago_worker_removal_seconds": 90}, set(), False),
        ({"lago_migrate_environment_variable_lago_org_name": "Other"}, set(), True),
        ({"postgres_max_connections": 300}, set(), False),
    ],
)
def test_a_change_restarts_what_is_made_from_it_and_nothing_else(change, restarted, gate):
    plan = lago(change)
    assert {unit for unit, change in plan.units.items() if change["action"] == "restart"} == restarted
    assert plan.units.keys() == restarted
    assert bool(plan.gates) is gate
    assert all(change["reasons"] for change in plan.changes["units"].values())
