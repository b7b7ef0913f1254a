# SPDX-FileCopyrightText: 2026 The selfhosting.lago authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""One Valkey, which Lago and others on the server use."""

import pytest
from verify import inside, plays, wiring
from verify.load import load
from verify.outside import new_event
from verify.waiting import eventually

VALKEY = "mash-valkey"
PROCESSES = ["mash-lago-api", "mash-lago-api-worker", "mash-lago-api-clock"]
# A service of the server that this project knows nothing of.
SOMEBODYS = """
[Unit]
Wants=mash-valkey.service
[Service]
ExecStart=/bin/sleep infinity
"""


def run(host, *arguments, **variables) -> str:
    """What a run says."""
    done = plays.attempt("shared", *arguments, **variables)
    assert done.returncode == 0, done.stdout + done.stderr
    return " ".join((done.stdout + done.stderr).split())


@pytest.fixture
def worker_is_away(host):
    host.check_output("systemctl stop mash-lago-api-worker")
    yield
    host.check_output("systemctl start mash-lago-api-worker")


def send(site, count):
    # Traefik may hear of an API that has just been started a moment later.
    eventually(lambda: site.get("/api/v1/organizations").from_lago)
    for _ in range(count):
        site.client().events.create(new_event())


@pytest.mark.usefixtures("worker_is_away")
def test_jobs_wait_in_it(host, site):
    send(site, 5)
    assert wiring.jobs(host, VALKEY) == 5


def test_all_processes_are_connected(host, site):
    eventually(lambda: wiring.jobs(host, VALKEY) == 0)
    networks = inside.containers(host)
    for name in PROCESSES:
        assert VALKEY in networks[name]["NetworkSettings"]["Networks"]
        endpoint = networks[name]["NetworkSettings"]["Networks"][VALKEY]
        clients = host.check_output(f"docker exec {VALKEY} valkey-cli client list")
        seen = (f"addr={endpoint['IPAddress']}:", f"addr=[{endpoint['GlobalIPv6Address']}]:")
        assert any(address in clients for address in seen), name


def test_who_is_not_in_its_network_cannot_open_its_port(host):
    for address in wiring.addresses(host, VALKEY):
        assert wiring.answer(host, VALKEY, VALKEY, address) == "PONG"
        wrong = wiring.others(host, VALKEY)
        assert "mash-lago" in wrong
        assert [network for network in wrong if "PONG" in wiring.answer(host, network, VALKEY, address)] == []


@pytest.mark.parametrize("part", wiring.PROCESSES)
def test_systemd_orders_lago_after_it(host, part):
    assert wiring.is_ordered(host, f"mash-lago-{part}.service", f"{VALKEY}.service")


@pytest.fixture
def others(host):
    """A unit that names it, and a container in its network, neither of which is ours."""
    host.check_output("printf %s > /etc/systemd/system/somebodys.service && systemctl daemon-reload", SOMEBODYS)
    host.check_output("systemctl start somebodys")
    image = inside.containers(host)[VALKEY]["Config"]["Image"]
    host.check_output(f"docker run --detach --name=by-hand --network={VALKEY} --entrypoint=sleep {image} 600")
    yield
    host.check_output("docker rm --force by-hand; systemctl stop somebodys; rm /etc/systemd/system/somebodys.service")
    host.check_output("systemctl daemon-reload")


@pytest.mark.usefixtures("others")
def test_stopping_it_warns_of_who_needs_it(host):
    said = run(host, "--tags=stop-group", group="valkey")
    assert "mash-valkey.service: stopped while others on the server need it" in said
    for name in [*PROCESSES, "somebodys", "by-hand"]:
        assert f"{name}.service" in said
    assert "need it" not in run(host, "--tags=start-group", group="valkey")
    # The worker, which was stopped before it, starts once it is there.
    eventually(lambda: inside.all_active(host), seconds=180)


def processed(host, event) -> bool:
    query = f"SELECT count(*) FROM events WHERE transaction_id = '{event.transaction_id}' AND processed_at IS NOT NULL"
    return inside.sql(host, query) == "1"


@pytest.mark.parametrize("password", ["with / and % and a blank", ""])
def test_another_password_reaches_all_in_one_run(host, site, play, password):
    """The first one, and none again. Valkey lets in who was not told yet, so that no event loses its job meanwhile."""
    with load(site, senders=1):
        done = play(valkey_connection_password=password)
    assert done.units.keys() == {f"{name}.service" for name in [VALKEY, *PROCESSES]}
    assert set(done.units.values()) == {"restart"}
    eventually(lambda: inside.unprocessed_events(host) == 0, seconds=90)
    # Web sockets have a connection and a password of their own.
    assert site.cable("/cable").status == 101

    if password:
        play(valkey_connection_password=password, valkey_connection_password_grace_time_seconds=0)
    refused = host.check_output("docker exec %s valkey-cli get anything 2>&1 || true", VALKEY)
    assert ("NOAUTH" in refused) == bool(password)
    eventually(lambda: site.get("/api/v1/organizations").from_lago)
    event = site.client().events.create(new_event())
    eventually(lambda: processed(host, event))


def test_stopping_everything_warns_of_nothing(host):
    assert "need it" not in run(host, "--tags=stop-all")
    run(host, "--tags=start-all")
    assert inside.all_active(host)


@pytest.mark.usefixtures("worker_is_away")
def test_switched_off_it_keeps_its_data(host, site):
    send(site, 3)
    said = run(host, "--tags=setup-valkey", valkey_enabled=False)
    assert "stays: Valkey's data (queued jobs): /mash/valkey/data" in said
    assert "mash-lago-api.service of shared" in said
    assert not host.file("/etc/systemd/system/mash-valkey.service").exists
    # Without the tag start: a worker that is started would take them.
    run(host, "--tags=setup-valkey")
    assert wiring.jobs(host, VALKEY) == 3


# The scenario `dedicated-valkey` reboots as well.
@pytest.mark.long
def test_a_reboot(host, server, site):
    wiring.reboots(host, server)
    assert [name for name in PROCESSES if not wiring.came_up_after(host, name, VALKEY)] == []
    eventually(lambda: wiring.jobs(host, VALKEY) == 0)
