# SPDX-FileCopyrightText: 2026 The selfhosting.lago authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Two installations of Lago on one server: each with all of its own but Traefik."""

import contextlib

import pytest
from verify import inside, plays, wiring
from verify.outside import Site, new_event
from verify.waiting import eventually

# Both inventory hosts are this server.
testinfra_hosts = ["ansible://lago.example.test"]
FIRST, SECOND = "lago.example.test", "second.example.test"
PREFIXES = {FIRST: "mash-", SECOND: "mash-second-"}
SECOND_KEY = "0d1f2e3a-api-key-of-the-second-organization"


@pytest.fixture
def sites(server, site, keys):
    second = Site(SECOND, server.address, keys / "certificate.pem", SECOND_KEY)
    with contextlib.ExitStack() as stack:
        stack.enter_context(second.answering())
        yield {FIRST: site, SECOND: second}


def test_both_answer_under_their_own_name(sites):
    for name, organization in ((FIRST, "Example"), (SECOND, "Second")):
        site = sites[name]
        assert b"<title>Lago" in site.get("/").body
        assert f"https://{name}/api" in site.get("/env-config.js").body.decode()
        answer = site.get("/api/v1/organizations", Authorization=site.authorization)
        assert (answer.status, answer.json["organization"]["name"]) == (200, organization)
    assert sites[FIRST].get("/api/v1/organizations", Authorization=sites[SECOND].authorization).status == 401


def test_there_is_one_traefik(host):
    traefiks = [name for name in inside.containers(host) if name.endswith("traefik")]
    assert traefiks == ["mash-traefik"]
    assert not host.file("/etc/systemd/system/mash-second-traefik.service").exists


def database_of(host, name, query):
    return inside.sql(host, query, container=f"{PREFIXES[name]}postgres")


@pytest.mark.parametrize(("name", "other"), [(FIRST, SECOND), (SECOND, FIRST)])
def test_events_and_jobs_stay_in_their_stack(host, sites, name, other):
    for prefix in PREFIXES.values():
        host.check_output("systemctl stop %slago-api-worker", prefix)
    sent = [sites[name].client().events.create(new_event()).transaction_id for _ in range(5)]
    assert [wiring.jobs(host, f"{PREFIXES[one]}valkey") for one in (name, other)] == [5, 0]
    rows = f"SELECT count(*) FROM events WHERE transaction_id IN ({', '.join(map(repr, sent))})"
    assert [database_of(host, one, rows) for one in (name, other)] == ["5", "0"]
    for prefix in PREFIXES.values():
        host.check_output("systemctl start %slago-api-worker", prefix)
    eventually(lambda: database_of(host, name, f"{rows} AND processed_at IS NOT NULL") == "5")


def test_while_the_second_is_away(host, sites):
    """The one Traefik answers for it, and the first goes on."""
    host.check_output("systemctl stop mash-second-lago-api")
    for path in ("/api/v1/events", "/api/api/v1/events"):
        answer = eventually(lambda path=path: not (one := sites[SECOND].post_event(path)).from_lago and one)
        assert (answer.status, int(answer.headers["retry-after"]) > 0) == (503, True), path
    assert sites[FIRST].post_event().status == 200
    host.check_output("systemctl start mash-second-lago-api")
    eventually(lambda: sites[SECOND].post_event().status == 200)


def test_each_has_one_clock(host):
    """Which container wrote the ticks of the last half minute."""
    since = "now() AT TIME ZONE 'UTC' - interval '30 seconds'"
    recent = f"SELECT count(DISTINCT host) FROM clock_ticks WHERE created_at > {since}"
    for name in PREFIXES:
        eventually(lambda name=name: database_of(host, name, recent) == "1")
    clocks = [container for container in inside.containers(host) if container.endswith("lago-api-clock")]
    assert sorted(clocks) == ["mash-lago-api-clock", "mash-second-lago-api-clock"]


@pytest.mark.parametrize(("prefix", "other"), [("mash-", "mash-second-"), ("mash-second-", "mash-")])
def test_neither_reaches_the_others_valkey(host, prefix, other):
    valkey = f"{other}valkey"
    networks = inside.containers(host)[f"{prefix}lago-api-worker"]["NetworkSettings"]["Networks"]
    for address in wiring.addresses(host, valkey):
        assert wiring.answer(host, valkey, valkey, address) == "PONG"
        assert [network for network in networks if "PONG" in wiring.answer(host, network, valkey, address)] == []


def test_a_limited_run_leaves_the_other_alone(host, other_time_zone):
    before = inside.invocations(host)
    restarted = plays.play(SECOND, lago_environment_variables_tz=other_time_zone).units
    assert set(restarted) == {f"mash-second-lago-{part}.service" for part in ("api", "api-worker", "api-clock")}
    after = inside.invocations(host)
    assert {unit for unit in after if before[unit] != after[unit]} == set(restarted)
    plays.play(SECOND)


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({"mash_playbook_service_identifier_prefix": "mash-"}, "would both own: units mash-lago-api, "),
        pytest.param(
            {"mash_playbook_service_base_directory_name_prefix": ""},
            "would both own: paths /mash/lago, ",
            marks=pytest.mark.long,
        ),
        pytest.param(
            {"mash_playbook_reverse_proxy_type": "playbook-managed-traefik"},
            "would both own: networks traefik; ports 443",
            marks=pytest.mark.long,
        ),
    ],
    ids=["identifier", "directory", "traefik"],
)
def test_a_forgotten_prefix_is_refused(host, variables, expected):
    """Both alone, which finds the other's traces on the server, and together with it."""
    before = inside.invocations(host)
    for limit in (SECOND, f"{FIRST},{SECOND}"):
        # An extra variable is one of both hosts; for the first it is what it says anyhow.
        done = plays.attempt(limit, **variables)
        said = " ".join((done.stdout + done.stderr).split())
        assert done.returncode != 0
        assert "are the same server" in said
        assert expected in said
        assert FIRST in said
    assert inside.invocations(host) == before


def test_a_reboot(host, server, sites):
    wiring.reboots(host, server)
    for name, prefix in PREFIXES.items():
        for part in ("api", "api-worker", "api-clock"):
            for needed in ("postgres", "valkey"):
                assert wiring.came_up_after(host, f"{prefix}lago-{part}", f"{prefix}{needed}"), (name, part)
        sent = eventually(lambda site=sites[name]: site.client().events.create(new_event()).transaction_id, seconds=60)
        assert database_of(host, name, f"SELECT count(*) FROM events WHERE transaction_id = '{sent}'") == "1"
