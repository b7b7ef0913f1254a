# SPDX-FileCopyrightText: 2026 The selfhosting.lago authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""lago_workers: units, flags on all processes, pools and connections together."""

import re
import subprocess
from pathlib import Path

import pytest
import yaml
from ansible_collections.selfhosting.lago.plugins.plugin_utils import workers
from ansible_collections.selfhosting.lago.plugins.plugin_utils.specification import options_of
from virtual_host import REPOSITORY, VirtualHost, apply, merged

TABLE = REPOSITORY / "roles" / "lago" / "vars" / "main" / "workers.yml"
KINDS = yaml.safe_load(TABLE.read_text())["lago_worker_kinds"]
NEEDS = {"meilisearch": {"url": "http://search"}, "dedicated": {"organization_ids": ["a", "b"]}}
DEDICATED = sorted(set(KINDS) - {"default"})
PDFS = {"lago_workers": [{"kind": "pdfs", "concurrency": 2, "replicas": 2, "memory": "1g"}]}
UNITS = "/etc/systemd/system"
CONTRACT = REPOSITORY.parent / "shared" / "reference" / "lago-contract.md"
STANDIN = REPOSITORY / "molecule" / "images" / "lago-api" / "src" / "config" / "workers.rb"


def entry(kind, **options):
    return {"kind": kind, **NEEDS.get(kind, {}), **options}


def environment(files, path):
    return dict(line.split("=", 1) for line in files[path]["content"].splitlines())


@pytest.mark.parametrize("kind", DEDICATED)
def test_a_kind_is_a_unit_and_its_flag_on_every_process(kind):
    before, after = (
        VirtualHost(change={"lago_workers": entries, "postgres_max_connections": 500}).rendered("lago")
        for entries in ([], [entry(kind)])
    )
    name = kind.replace("_", "-")
    unit = f"{UNITS}/mash-lago-{name}-worker.service"
    assert set(after) - set(before) == {unit, f"/mash/lago/api/env-{name}-worker"}
    assert after[unit]["content"].count(f"{KINDS[kind]['script']}\n") == 1
    variables = [KINDS[kind].get("flag"), *KINDS[kind].get("settings", {})]
    # All of them read the shared file; the migration has its own.
    for path in ("/mash/lago/api/env", "/mash/lago/migrate/env"):
        added = environment(after, path).items() - environment(before, path).items()
        assert {variable for variable, _value in added} <= {*variables}
        assert len(added) >= 1
        assert environment(before, path).keys() & {*variables} == set()
    for process in ("api", "api-worker", "api-clock", f"{name}-worker"):
        assert "--env-file=/mash/lago/api/env \\" in after[f"{UNITS}/mash-lago-{process}.service"]["content"]
    own = environment(after, f"/mash/lago/api/env-{name}-worker")
    assert own["SIDEKIQ_CONCURRENCY"] == own["DATABASE_POOL"] == str(KINDS[kind]["concurrency"])


def test_values_of_flags():
    flags = workers.flags_of([entry(kind) for kind in DEDICATED], KINDS)
    assert flags.pop("LAGO_MEILISEARCH_URL") == "http://search"
    assert flags.pop("LAGO_MEILISEARCH_API_KEY") is None
    assert flags.pop("LAGO_DEDICATED_WORKER_ORG_IDS") == "a,b"
    assert flags == dict.fromkeys(sorted(flags), True)
    assert len(flags) == 10
    assert set(workers.flags_of([], KINDS).values()) == {None}


def test_options_of_a_kind():
    files = VirtualHost(change=PDFS).rendered("lago")
    for number in ("", "-2"):
        text = files[f"{UNITS}/mash-lago-pdfs-worker{number}.service"]["content"]
        assert f"--name=mash-lago-pdfs-worker{number} \\" in text
        assert "--memory=1g" in text
        assert "--stop-timeout=35" in text
        assert "TimeoutStopSec=125" in text
        assert text.index("container-quiet --timeout=60") < text.index("docker stop --time=35")
    own = environment(files, "/mash/lago/api/env-pdfs-worker")
    assert own == {"OTEL_SERVICE_NAME": "mash-lago-pdfs-worker", "SIDEKIQ_CONCURRENCY": "2", "DATABASE_POOL": "2"}


def test_options_of_the_default_worker():
    plain, changed = (
        VirtualHost(change={"lago_workers": entries}).rendered("lago")
        for entries in ([], [{"kind": "default", "concurrency": 4, "memory": "2g"}])
    )
    assert changed.keys() == plain.keys()
    assert {path for path in plain if plain[path] != changed[path]} == {
        "/mash/lago/api/env-worker",
        f"{UNITS}/mash-lago-api-worker.service",
    }
    assert environment(changed, "/mash/lago/api/env-worker")["DATABASE_POOL"] == "4"


def test_what_a_change_of_concurrency_restarts():
    """The workers of that kind alone, and neither API nor clock."""
    host = VirtualHost(change=PDFS)
    server = host.installed("lago")
    change = {"lago_workers": [{**PDFS["lago_workers"][0], "concurrency": 3}]}
    plan = VirtualHost(change=change).plan("lago", server)
    reason = {"action": "restart", "reasons": ["/mash/lago/api/env-pdfs-worker changed"]}
    assert plan.units == {f"mash-lago-pdfs-worker{number}.service": reason for number in ("", "-2")}
    default = {"lago_workers": [*PDFS["lago_workers"], {"kind": "default", "concurrency": 4}]}
    assert list(VirtualHost(change=default).plan("lago", server).units) == ["mash-lago-api-worker.service"]


def test_removing_a_kind():
    host = VirtualHost(change=PDFS)
    server = host.installed("lago")
    plan = VirtualHost().plan("lago", server)
    gone = ["mash-lago-pdfs-worker-2.service", "mash-lago-pdfs-worker.service"]
    assert plan.obsolete == gone
    assert list(plan.leftovers) == gone
    assert plan.leftovers[gone[0]][-1] == "pdfs"
    assert plan.leftovers_limit == 600
    # Everything else loses the flag and is restarted, before.
    assert {unit for unit, change in plan.units.items() if change["action"] == "restart"} == {
        f"mash-lago-{name}.service" for name in ("api", "api-worker", "api-clock")
    }
    apply(plan, server, "mash-lago", host.key)
    assert VirtualHost().plan("lago", server).empty


def test_a_replica_less_leaves_nothing_behind():
    server = VirtualHost(change=PDFS).installed("lago")
    plan = VirtualHost(change={"lago_workers": [{**PDFS["lago_workers"][0], "replicas": 1}]}).plan("lago", server)
    assert (plan.obsolete, plan.leftovers) == (["mash-lago-pdfs-worker-2.service"], {})
    assert plan.units == {}


def test_the_order_of_restarts():
    plan = VirtualHost(change={**PDFS, "lago_api_replicas": 2}).plan("lago")
    assert plan.order == {
        "mash-lago-api-clock.service": {"stop_rank": 2, "never_down": {"minutes": [10, 20], "seconds": 335}},
        "mash-lago-api-worker.service": {"stop_rank": 1},
        "mash-lago-pdfs-worker.service": {"stop_rank": 1},
        "mash-lago-pdfs-worker-2.service": {"stop_rank": 1},
        "mash-lago-api.service": {"pool": "mash-lago-api"},
        "mash-lago-api-2.service": {"pool": "mash-lago-api"},
    }
    assert "pool" not in str(VirtualHost().plan("lago").order)


def test_stop_times_are_the_larger_of_what_lago_needs_and_what_the_user_says():
    for grace, times in ((1, (45, 35, 10)), (100, (100, 100, 100))):
        files = VirtualHost(change={"lago_api_container_stop_grace_time_seconds": grace}).rendered("lago")
        for name, seconds in zip(("api", "api-worker", "api-clock"), times, strict=True):
            text = files[f"{UNITS}/mash-lago-{name}.service"]["content"]
            assert f"docker stop --time={seconds} " in text
            assert f"--stop-timeout={seconds} " in text
            assert int(re.search(r"TimeoutStopSec=(\d+)", text)[1]) >= seconds + 30


@pytest.mark.parametrize(
    ("entries", "replicas", "version", "settings", "text", "expected"),
    [
        # API, default worker and clock: two pools, three since v1.52.
        ([], 1, "v1.51.0", {}, "", 20 + 20 + 2),
        ([], 1, "v1.52.1", {}, "", 30 + 30 + 3),
        ([], 2, "v1.52.1", {"WEB_CONCURRENCY": 4}, "", 240 + 30 + 3),
        ([], 1, "v1.51.0", {"DATABASE_POOL": 40}, "DATABASE_POOL=5\nWEB_CONCURRENCY=2", 20 + 10 + 2),
        ([{"kind": "billing", "replicas": 3}], 1, "v1.51.0", {}, "", 42 + 30),
        ([{"kind": "default", "concurrency": 20}], 1, "v1.51.0", {}, "", 20 + 40 + 2),
    ],
)
def test_connections(entries, replicas, version, settings, text, expected):
    settings = {"DATABASE_POOL": 10, "WEB_CONCURRENCY": 0, **settings}
    found = workers.workers_of(entries, KINDS)
    assert workers.connections(found, replicas, version, settings, text) == expected


def test_memory():
    entries = [{"kind": "pdfs", "memory": "512m", "replicas": 3}, {"kind": "events", "memory": "1g"}, {"kind": "clock"}]
    assert workers.memory_mb(workers.workers_of(entries, KINDS)) == 3 * 512 + 1024
    # The default worker has its own variable, and is there anyway.
    assert workers.memory_mb(workers.workers_of(entries, KINDS), "4g") == 3 * 512 + 1024 + 4096


@pytest.mark.parametrize("value", ["false", "0", "off", ""])
def test_a_flag_that_is_off_contradicts_its_worker(value):
    assert workers.contradicted(f"SIDEKIQ_PDFS={value}", [{"kind": "pdfs"}], KINDS) == ["SIDEKIQ_PDFS"]
    assert workers.contradicted(f"SIDEKIQ_PDFS={value}", [], KINDS) == []


def test_kinds_are_those_that_can_be_written():
    assert options_of("lago")["lago_workers"]["options"]["kind"]["choices"] == list(KINDS)


@pytest.mark.parametrize("kind", KINDS)
def test_queues_are_those_that_the_standin_serves(kind):
    """They stand in two places: here and in the image."""
    script = f"require '{STANDIN}'; puts WORKERS.fetch('{'' if kind == 'default' else kind}').flatten.join(' ')"
    try:
        done = subprocess.run(["ruby", "-e", script], capture_output=True, text=True)
        assert done.stdout.split() == [str(KINDS[kind]["concurrency"]), *KINDS[kind]["queues"]]
    except FileNotFoundError:
        assert f"[{KINDS[kind]['concurrency']}, %w[{' '.join(KINDS[kind]['queues'])}]]" in STANDIN.read_text()


@pytest.mark.skipif(not CONTRACT.exists(), reason="the facts about Lago are not part of the repository")
@pytest.mark.parametrize("kind", DEDICATED)
def test_kinds_are_lagos(kind):
    section = Path(CONTRACT).read_text().split("### 1.10")[1].split("### 1.11")[0]
    variable = KINDS[kind].get("flag") or next(iter(KINDS[kind]["settings"]))
    (row,) = [line for line in section.splitlines() if line.startswith(f"| `{variable}`")]
    cells = [cell.strip() for cell in row.split("|")[1:]]
    assert cells[3] == Path(KINDS[kind]["script"]).name
    assert cells[1].split(" (")[0].split(", ") == KINDS[kind]["queues"]
    if "≥1." in cells[0]:
        assert KINDS[kind]["since"] == "v1.51.0"


def test_a_worker_that_was_quieted_and_forgotten_is_restarted():
    host = VirtualHost()
    stale = {"units": {"mash-lago-api-worker.service": {"stale": ["somebody told it to take no more jobs"]}}}
    plan = host.plan("lago", merged(host.installed("lago"), stale))
    assert plan.units == {
        "mash-lago-api-worker.service": {"action": "restart", "reasons": ["somebody told it to take no more jobs"]}
    }


def test_without_its_clock_a_host_has_all_the_rest():
    host = VirtualHost()
    server = host.installed("lago")
    plan = VirtualHost(change={"lago_api_clock_enabled": False}).plan("lago", server)
    gone = ["mash-lago-api-clock.service", "mash-lago-catch-up.service"]
    assert (plan.obsolete, plan.leftovers, plan.units) == (gone, {}, {})


def test_a_replica_of_a_pool_joins_once_it_is_ready_and_leaves_before_it_stops():
    files = VirtualHost(change={"lago_api_replicas": 2}).rendered("lago")
    for name in ("mash-lago-api", "mash-lago-api-2"):
        text = files[f"{UNITS}/{name}.service"]["content"]
        begin, ready, join, leave, stop = (
            text.index(part)
            for part in (
                '"--health-cmd=test -e /tmp/.in-pool"',
                f"container-ready --timeout=600 {name} ",
                f"container-pool join {name} /tmp/.in-pool",
                f"container-pool leave {name} /tmp/.in-pool",
                f"docker stop --time=45 {name}",
            )
        )
        assert begin < ready < join < leave < stop
        assert "TimeoutStopSec=140" in text
    labels = files["/mash/lago/api/labels"]["content"]
    assert "traefik.http.middlewares.mash-lago-api-retry.retry.attempts=3" in labels
    assert "mash-lago-api-unavailable,mash-lago-api-retry" in labels
