# SPDX-FileCopyrightText: 2026 The selfhosting.lago authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Jobs, cache and web sockets in somebody else's server, over TLS with a user; no reverse proxy."""

import contextlib
import json
import socket

import httpx
import pytest
import websocket
from verify import inside, queue
from verify.waiting import eventually

UNITS = [
    "mash-lago-api-clock.service",
    "mash-lago-api-worker.service",
    "mash-lago-api.service",
    "mash-lago-front.service",
    "mash-lago-pdf.service",
    "mash-postgres.service",
]


@pytest.fixture
def redis(host, password) -> queue.Valkey:
    options = ["--tls", "--insecure", "-p", "6380", "--user", "lago"]
    return queue.Valkey(host, "redis-tls", password, options, database=3)


def test_only_what_is_enabled_runs(host):
    assert inside.installed_units(host) == UNITS
    assert inside.all_active(host)


def test_the_ports_of_api_and_front_end_answer(server, user_values):
    key = user_values["lago_migrate_environment_variable_lago_org_api_key"]
    api = f"http://{server.address}:3000/api/v1/organizations"
    assert httpx.get(api, trust_env=False, timeout=60).status_code == 401
    answer = httpx.get(api, headers={"Authorization": f"Bearer {key}"}, trust_env=False, timeout=60)
    assert answer.json()["organization"]["name"] == "Example"
    assert "<title>Lago" in httpx.get(f"http://{server.address}:8080/", trust_env=False, timeout=60).text
    for port in (80, 443, 6379):
        with socket.socket() as connection:
            connection.settimeout(2)
            assert connection.connect_ex((server.address, port)) != 0


def test_jobs_are_in_the_database_that_was_said(host, client, redis):
    host.check_output("systemctl stop %s", queue.WORKER)
    sent = queue.send(client, 5)
    assert redis.queued() >= 5
    host.check_output("systemctl start %s", queue.WORKER)
    queue.all_processed(host, sent)


def test_the_cache_is_in_the_database_that_was_said(host, redis):
    host.check_output("docker exec mash-lago-api-clock rails runner %s", "Rails.cache.write('of the test', 'x')")
    assert redis.ask("exists", "of the test", database=4).strip() == "1"


def test_web_sockets_are_in_the_database_that_was_said(server, redis):
    with contextlib.closing(cable(server)) as connection:
        assert echo(connection) == {"echo": "of the test"}
        listening = [client for client in redis.clients() if int(client["sub"])]
        assert {client["db"] for client in listening} == {"5"}


def test_every_connection_is_that_users(redis):
    """The server knows no other and has no port without TLS; nobody talks to another database."""
    clients = eventually(redis.clients)
    assert {client["user"] for client in clients} == {"lago"}
    assert {client["db"] for client in clients} <= {"3", "4", "5"}


def cable(server) -> websocket.WebSocket:
    return websocket.create_connection(
        f"ws://{server.address}:3000/cable", subprotocols=["actioncable-v1-json"], timeout=20
    )


def echo(connection) -> dict:
    """What is sent comes back by way of Redis."""
    channel = json.dumps({"channel": "GraphqlChannel"})
    messages = (json.loads(connection.recv()) for _ in range(40))
    connection.send(json.dumps({"command": "subscribe", "identifier": channel}))
    assert next(message for message in messages if message.get("type") == "confirm_subscription")
    data = json.dumps({"action": "execute", "query": "of the test"})
    connection.send(json.dumps({"command": "message", "identifier": channel, "data": data}))
    return next(message for message in messages if "message" in message and "type" not in message)["message"]
