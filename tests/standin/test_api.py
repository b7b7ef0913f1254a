# SPDX-FileCopyrightText: 2026 The selfhosting.lago authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""What a client sees of the API."""

import base64
import json
import subprocess
import time
import urllib.error
import urllib.request
import uuid
from concurrent.futures import ThreadPoolExecutor

import pytest
import websocket
from lago_python_client.client import Client
from lago_python_client.exceptions import LagoApiError
from lago_python_client.models import BatchEvent, BillableMetric, Event

from .conftest import FIRST_ORGANIZATION, docker, eventually

KEY = FIRST_ORGANIZATION["LAGO_ORG_API_KEY"]


class Unfollowed(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_):
        return None


def call(container, path, data=None, key=KEY, port=3000, timeout=60, **headers):
    """Status, headers, body."""
    body = None if data is None else json.dumps(data).encode()
    request = urllib.request.Request(
        container.url(port) + path, data=body, headers={"Content-Type": "application/json"}
    )
    if key:
        request.add_header("Authorization", f"Bearer {key}")
    for name, value in headers.items():
        request.add_header(name.replace("_", "-"), value)
    try:
        answer = urllib.request.build_opener(Unfollowed).open(request, timeout=timeout)
    except urllib.error.HTTPError as error:
        answer = error
    with answer:
        return answer.status, answer.headers, answer.read()


def graphql(container, query, token=None):
    return json.loads(call(container, "/graphql", {"query": query}, key=token)[2])


def register(container, email):
    return graphql(
        container,
        f'mutation {{ registerUser(input: {{email: "{email}", password: "secret", organizationName: "New"}})'
        " { token organization { name } } }",
    )


def event(**changes):
    return Event(**{"transaction_id": str(uuid.uuid4()), "external_subscription_id": "s", "code": "calls"} | changes)


@pytest.mark.parametrize("ending", ["", "/"])
def test_vendors_client(bed, ending):
    client = Client(api_key=KEY, api_url=bed.api.url(3000) + ending)
    sent = event(timestamp=1700000000, properties={"gb": 7})
    assert client.events.create(sent).timestamp == "2023-11-14T22:13:20.000Z"
    assert client.events.find(sent.transaction_id).properties == {"gb": 7}
    client.events.batch_create(BatchEvent(events=[event() for _ in range(100)]))
    eventually(lambda: bed.sql("SELECT count(*) FROM events WHERE processed_at IS NULL") == "0")


def refused(function, *arguments):
    with pytest.raises(LagoApiError) as error:
        function(*arguments)
    return error.value


def test_the_public_half_of_the_key_that_signs(bed):
    pem = base64.b64decode(bed.defaults["LAGO_RSA_PRIVATE_KEY"])
    public = subprocess.run(["openssl", "rsa", "-pubout"], input=pem, capture_output=True, check=True).stdout
    assert Client(api_key=KEY, api_url=bed.api.url(3000)).webhooks.public_key() == public
    assert base64.b64decode(call(bed.api, "/api/v1/webhooks/public_key")[2]) == public
    assert call(bed.api, "/api/v1/webhooks/public_key", key=None)[0] == 401


def test_events_that_are_refused(bed):
    client = Client(api_key=KEY, api_url=bed.api.url(3000))
    sent = event()
    client.events.create(sent)
    assert refused(client.events.create, sent).response == {
        "status": 422, "error": "Unprocessable Entity", "code": "validation_errors",
        "error_details": {"transaction_id": ["value_already_exist"]},
    }  # fmt: skip
    # Unique within a subscription only.
    client.events.create(event(transaction_id=sent.transaction_id, external_subscription_id="other"))
    # All of a batch or nothing.
    new = event()
    error = refused(client.events.batch_create, BatchEvent(events=[new, sent]))
    assert error.response["error_details"] == {"1": {"transaction_id": ["value_already_exist"]}}
    assert refused(client.events.find, new.transaction_id).status_code == 404
    assert refused(client.events.batch_create, BatchEvent(events=[event() for _ in range(101)])).status_code == 422
    closed = Client(api_key=KEY, api_url=bed.closed.url(3000))
    assert refused(closed.events.batch_create, BatchEvent(events=[event() for _ in range(3)])).status_code == 422
    assert refused(Client(api_key="wrong", api_url=bed.api.url(3000)).events.create, event()).status_code == 401


def test_passwords_are_not_logged(bed):
    password = f"password-{uuid.uuid4()}"
    query = "mutation ($input: LoginUserInput!) { loginUser(input: $input) { token } }"
    given = {"email": f"{uuid.uuid4()}@example.com", "password": password}
    call(bed.api, "/graphql", {"query": query, "variables": {"input": given}})
    log = eventually(lambda: given["email"] in bed.api.logs() and bed.api.logs())
    assert password not in log


def test_encoded_slash(bed):
    code = f"a/{uuid.uuid4()}"
    Client(api_key=KEY, api_url=bed.api.url(3000)).billable_metrics.create(BillableMetric(name="M", code=code))
    status, _, body = call(bed.api, f"/api/v1/billable_metrics/{code.replace('/', '%2F')}")
    assert (status, json.loads(body)["billable_metric"]["code"]) == (200, code)
    assert call(bed.api, f"/api/v1/billable_metrics/{code}")[0] == 404


def test_no_route_without_the_api_prefix(bed):
    assert call(bed.api, "/v1/events", {})[0] == 404


def test_sign_up_and_login(bed):
    email = f"{uuid.uuid4()}@example.com"
    assert register(bed.closed, email)["errors"][0]["extensions"]["code"] == "signup_disabled"
    token = register(bed.api, email)["data"]["registerUser"]["token"]
    assert graphql(bed.api, "{ currentUser { email } }", token)["data"]["currentUser"]["email"] == email
    assert graphql(bed.api, "{ organization { name } }")["errors"][0]["extensions"]["status"] == 401
    wrong = graphql(bed.api, f'mutation {{ loginUser(input: {{email: "{email}", password: "x"}}) {{ token }} }}')
    assert wrong["errors"][0]["extensions"]["details"] == {"base": ["incorrect_login_or_password"]}
    query = 'mutation { loginUser(input: {email: "%s", password: "%s"}) { user { organizations { name } } } }'
    first = graphql(
        bed.closed, query % tuple(FIRST_ORGANIZATION[f"LAGO_ORG_USER_{name}"] for name in ("EMAIL", "PASSWORD"))
    )
    assert first["data"]["loginUser"]["user"]["organizations"] == [{"name": "First"}]


def test_pages_by_environment(bed):
    paths = ["/metrics", "/ready", "/health", "/sidekiq", "/karafka", "/admin", "/data_api", "/"]
    assert [call(bed.api, path, key=None)[0] for path in paths] == [200, 200, 200, 404, 404, 401, 401, 404]
    assert [call(bed.closed, path, key=None)[0] for path in paths] == [200, 200, 200, 200, 200, 401, 401, 404]
    assert call(bed.closed, "/admin", key=None, X_Admin_API_Key="admin-key")[0] == 200


def test_health(bed):
    assert json.loads(call(bed.api, "/health", key=None)[2])["version"] == "v1.52.1"
    broken = bed.lago("./scripts/start.api.sh", DATABASE_URL="postgresql://lago@nowhere:5432/lago")
    status, body = eventually(lambda: call(broken, "/health", key=None)[::2])
    assert status == 500
    assert "nowhere" in json.loads(body)["details"]


def test_cors(bed):
    allowed = call(bed.api, "/health", Origin="https://lago.example.com")[1]
    assert allowed["Access-Control-Allow-Origin"] == "https://lago.example.com"
    assert "Access-Control-Allow-Origin" not in call(bed.api, "/health", Origin="https://other.example.com")[1]


def test_payment_webhook_leaves_a_row(bed):
    organization = str(uuid.uuid4())
    assert call(bed.api, f"/webhooks/stripe/{organization}?code=main", {"id": "evt"}, key=None)[0] == 200
    state = f"SELECT status FROM inbound_webhooks WHERE organization_id = '{organization}' AND code = 'main'"
    eventually(lambda: bed.sql(state) == "succeeded")


def test_pdf_end_to_end(bed):
    invoices = Client(api_key=KEY, api_url=bed.api.url(3000)).invoices
    invoice = json.loads(call(bed.api, "/api/v1/invoices", {"invoice": {"currency": "EUR"}})[2])["invoice"]
    url = eventually(lambda: invoices.find(invoice["lago_id"]).file_url)
    assert url.startswith("https://lago.example.com/api/rails/active_storage/blobs/redirect/")
    assert invoices.download(invoice["lago_id"]).file_url == url
    # The redirect knows the host of the request only: no /api.
    status, headers, _ = call(bed.api, url.removeprefix("https://lago.example.com/api"), key=None, Host="some.host")
    assert status == 302
    assert headers["Location"].startswith("https://some.host/rails/active_storage/disk/")
    path = headers["Location"].removeprefix("https://some.host")
    assert call(bed.api, path, key=None, Host="some.host")[2].startswith(b"%PDF")
    # Rails assumes TLS unless it is told not to.
    plain = call(bed.closed, url.removeprefix("https://lago.example.com/api"), key=None, Host="some.host")[1]
    assert plain["Location"].startswith("http://some.host/rails/")


def test_queue_is_chosen_where_the_job_is_enqueued(bed):
    """No worker of kind pdfs runs: the job of the API with SIDEKIQ_PDFS waits unseen."""
    before = bed.redis("LLEN", "queue:pdfs")
    call(bed.closed, "/api/v1/invoices", {"invoice": {}})
    assert int(bed.redis("LLEN", "queue:pdfs")) == int(before or 0) + 1


def test_cable(bed):
    def echo(container):
        with_socket = websocket.create_connection(container.url(3000).replace("http", "ws") + "/cable", timeout=5)
        try:
            channel = json.dumps({"channel": "GraphqlChannel"})
            assert json.loads(with_socket.recv())["type"] == "welcome"
            with_socket.send(json.dumps({"command": "subscribe", "identifier": channel}))
            data = json.dumps({"action": "execute", "query": "hello"})
            for _ in range(20):
                message = json.loads(with_socket.recv())
                if message.get("type") == "confirm_subscription":
                    with_socket.send(json.dumps({"command": "message", "identifier": channel, "data": data}))
                if message.get("message"):
                    return message["message"]["echo"]
        finally:
            with_socket.close()

    assert echo(bed.api) == "hello"
    # Its URL must hold the password: REDIS_PASSWORD is for Sidekiq only.
    with pytest.raises((websocket.WebSocketException, OSError)):
        echo(bed.closed)


def test_event_stays_when_redis_is_down(bed):
    bed.valkey.kill("STOP")
    try:
        sent = event().dict(exclude_none=True)
        assert call(bed.api, "/api/v1/events", {"event": sent})[0] == 500
        assert bed.sql(f"SELECT count(*) FROM events WHERE transaction_id = '{sent['transaction_id']}'") == "1"
        assert call(bed.api, "/health", key=None)[0] == 200
        alive = bed.worker.execute("curl", "-sS", "-o", "/dev/null", "-w", "%{http_code}", "http://localhost:8080")
        assert alive == "404"
    finally:
        bed.valkey.kill("CONT")
    status, _, body = call(bed.api, "/api/v1/events", {"event": sent})
    assert (status, json.loads(body)["error_details"]) == (422, {"transaction_id": ["value_already_exist"]})


def test_boot_can_be_slow(bed):
    """From STANDIN_BOOT_SECONDS: the process is there before it listens."""
    born, booted = bed.closed.execute("stat", "--format=%Y", "/proc/1", "/tmp/prometheus").split()
    assert int(booted) - int(born) >= 4


def test_stop(bed):
    """Puma as process 1 ends with 1 on SIGTERM, in single and in cluster mode."""
    container = bed.ready(bed.lago("./scripts/start.api.sh"), 3000)
    assert container.stop(20)[1] == 1


def test_a_request_under_way_is_finished(bed):
    container = bed.ready(bed.lago("./scripts/start.api.sh"), 3000)
    docker("pause", bed.pdf.id)
    try:
        token = register(bed.api, f"{uuid.uuid4()}@example.com")["data"]["registerUser"]["token"]
        organization = bed.sql("SELECT organization_id FROM memberships ORDER BY created_at DESC LIMIT 1")
        invoice = bed.sql(
            "INSERT INTO invoices (organization_id, number, currency, status, created_at, updated_at) "
            f"VALUES ('{organization}', 'X-1', 'EUR', 'finalized', now(), now()) RETURNING id"
        )
        query = f'mutation {{ downloadInvoice(input: {{id: "{invoice}"}}) {{ fileUrl }} }}'
        with ThreadPoolExecutor() as pool:
            answer = pool.submit(graphql, container, query, token)
            time.sleep(1)
            stopped = pool.submit(container.stop, 60)
            time.sleep(2)
            assert not stopped.done()
            docker("unpause", bed.pdf.id)
            assert answer.result()["data"]["downloadInvoice"]["fileUrl"]
            # Not killed.
            assert stopped.result()[1] == 1
    finally:
        docker("unpause", bed.pdf.id, check=False)
