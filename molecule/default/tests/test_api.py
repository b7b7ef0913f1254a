# SPDX-FileCopyrightText: 2026 The selfhosting.lago authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Lago's API and front end, used from outside as customers use them."""

import json
import uuid

import httpx
import pytest
from lago_python_client.models import BatchEvent
from verify import inside
from verify.outside import new_event
from verify.waiting import eventually

REGISTER = """mutation ($input: RegisterUserInput!) { registerUser(input: $input) { token } }"""
LOGIN = """mutation ($input: LoginUserInput!) { loginUser(input: $input) { token user { email } } }"""


def test_a_thousand_events_are_a_thousand_rows(host, site):
    code = f"code-{uuid.uuid4()}"
    events = [new_event(code=code) for _ in range(1000)]
    client = site.client()
    for event in events[:100]:
        client.events.create(event)
    # Few at a time: the vendor's client waits 5 s for the answer.
    for start in range(100, 1000, 25):
        client.events.batch_create(BatchEvent(events=events[start : start + 25]))
    sent = {event.transaction_id for event in events}
    assert set(inside.sql(host, f"SELECT transaction_id FROM events WHERE code = '{code}'").split()) == sent
    processed = f"SELECT count(*) FROM events WHERE code = '{code}' AND processed_at IS NOT NULL"
    eventually(lambda: inside.sql(host, processed) == "1000", seconds=300)
    # No job ran twice and none is left.
    finished = "SELECT count(*), count(DISTINCT job_id) FROM jobs_log WHERE job_class = 'EventsPostProcessJob'"
    rows = int(inside.sql(host, "SELECT count(*) FROM events"))
    eventually(lambda: inside.sql(host, f"{finished} AND state = 'finished'") == f"{rows}|{rows}", seconds=120)


@pytest.mark.parametrize("path", ["", "/", "/api", "/api/"])
def test_every_base_url_of_the_vendors_client(host, site, path):
    event = new_event()
    client = site.client(path)
    assert client.events.create(event).transaction_id == event.transaction_id
    assert client.events.find(event.transaction_id).code == event.code
    assert inside.event_rows(host, [event.transaction_id]) == 1


@pytest.mark.parametrize("path", ["/api/v1/organizations", "/api/api/v1/organizations"])
def test_an_api_key_is_needed(site, path):
    assert site.get(path).status == 401
    answer = site.get(path, Authorization=site.authorization)
    assert (answer.status, answer.json["organization"]["name"]) == (200, "Example")


@pytest.mark.parametrize("path", ["/graphql", "/api/graphql"])
def test_sign_up_is_refused(host, site, path):
    given = {"email": "new@example.test", "password": "secret", "organizationName": "New"}
    answer = site.graphql(REGISTER, path, input=given)
    assert answer["errors"][0]["extensions"]["code"] == "signup_disabled"
    assert inside.sql(host, "SELECT count(*) FROM users WHERE email = 'new@example.test'") == "0"


@pytest.mark.parametrize("path", ["/graphql", "/api/graphql"])
def test_the_first_user_logs_in(site, user_values, path):
    given = {
        "email": user_values["lago_migrate_environment_variable_lago_org_user_email"],
        "password": user_values["lago_migrate_environment_variable_lago_org_user_password"],
    }
    answer = site.graphql(LOGIN, path, input=given)
    assert answer["data"]["loginUser"]["user"]["email"] == given["email"]
    token = answer["data"]["loginUser"]["token"]
    me = site.post(path, {"query": "{ currentUser { email } }"}, Authorization=f"Bearer {token}").json
    assert me["data"]["currentUser"]["email"] == given["email"]
    refused = site.graphql(LOGIN, path, input=given | {"password": "wrong"})
    assert refused["errors"][0]["extensions"]["details"] == {"base": ["incorrect_login_or_password"]}


@pytest.mark.parametrize("path", ["/cable", "/api/cable"])
def test_web_sockets(site, path):
    socket = site.cable(path)
    assert socket.status == 101
    assert json.loads(socket.recv())["type"] == "welcome"
    # What is sent comes back by way of Valkey.
    channel = json.dumps({"channel": "GraphqlChannel"})
    socket.send(json.dumps({"command": "subscribe", "identifier": channel}))
    messages = (json.loads(socket.recv()) for _ in range(20))
    assert next(message for message in messages if message.get("type") == "confirm_subscription")
    data = json.dumps({"action": "execute", "query": path})
    socket.send(json.dumps({"command": "message", "identifier": channel, "data": data}))
    messages = (json.loads(socket.recv()) for _ in range(20))
    assert next(message for message in messages if "message" in message)["message"] == {"echo": path}
    socket.close()


@pytest.mark.parametrize("path", ["/webhooks/stripe", "/api/webhooks/stripe"])
def test_webhooks_of_payment_providers(host, site, path):
    organization = str(uuid.uuid4())
    assert site.post(f"{path}/{organization}", {"type": "payment"}).status == 200
    query = f"SELECT status FROM inbound_webhooks WHERE organization_id = '{organization}'"
    eventually(lambda: inside.sql(host, query) == "succeeded")


def test_the_pdf_of_an_invoice(site):
    """The worker asks for it, Gotenberg makes it, and the link leads to it over Rails' own redirect."""
    invoice = site.post("/api/v1/invoices", {"invoice": {}}, Authorization=site.authorization).json["invoice"]
    download = f"/api/v1/invoices/{invoice['lago_id']}/download"
    # Each look that finds nothing makes one more of it.
    link = eventually(
        lambda: site.post(download, Authorization=site.authorization).json["invoice"]["file_url"], seconds=240, every=5
    )
    assert link.startswith(f"{site.url}/api/rails/active_storage/blobs/redirect/")
    done = httpx.get(link, follow_redirects=True)
    assert [step.status_code for step in done.history] == [302]
    assert str(done.url).startswith(f"{site.url}/rails/active_storage/disk/")
    assert done.content.startswith(b"%PDF")


def test_the_front_end(site, user_values):
    assert b"<title>Lago" in site.get("/").body
    settings = site.get("/env-config.js").body.decode()
    assert f"{site.url}/api" in settings
    assert "LAGO_DISABLE_SIGNUP" in settings
    for path in ("/customers/1", "/api-keys.1234.js", "/webhook/1", "/auth/google/callback"):
        answer = site.get(path)
        assert (answer.status, answer.from_lago) == (200, False), path


def test_http_leads_to_https(site):
    for method, path in (("GET", "/customers?page=2"), ("POST", "/api/v1/events")):
        answer = site.request(method, path, tls=False)
        assert answer.status in (301, 307, 308), path
        assert answer.headers["location"] == site.url + path
