# SPDX-FileCopyrightText: 2026 The selfhosting.lago authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""What Lago has stored since a backup, and its events once more through the API."""

import http.server
import json
import threading

import pytest
import resend
import since
from repository import NoBackup
from shell import Failure


def row(number, **changes):
    return {
        "id": str(number),
        "organization_id": "organization",
        "transaction_id": f"transaction-{number}",
        "external_subscription_id": "subscription",
        "code": "calls",
        "properties": {"value": number},
        "precise_total_amount_cents": None,
        "timestamp": "2026-11-01T10:00:00.123456",
        **changes,
    }


def events(*numbers):
    return [resend.as_sent(row(number)) for number in numbers]


class Lago:
    """Takes batches as Lago does: as a whole or not at all."""

    def __init__(self, known=(), odd=(), statuses=()):
        self.known, self.odd, self.statuses, self.requests = set(known), set(odd), list(statuses), []

    def post(self, path, body, key):
        self.requests.append((path, key, [one["transaction_id"] for one in body["events"]]))
        faults = {}
        for number, event in enumerate(body["events"]):
            if event["transaction_id"] in self.known:
                faults[str(number)] = {"transaction_id": ["value_already_exist"]}
            elif event["transaction_id"] in self.odd:
                faults[str(number)] = {"timestamp": ["invalid_format"]}
        if faults:
            return 422, {"error_details": faults}
        self.known |= {event["transaction_id"] for event in body["events"]}
        return 200, {}


def test_an_event_is_sent_as_it_came_in():
    assert resend.as_sent(row(1, precise_total_amount_cents=12.5)) == {
        "transaction_id": "transaction-1",
        "external_subscription_id": "subscription",
        "code": "calls",
        "properties": {"value": 1},
        "precise_total_amount_cents": 12.5,
        "timestamp": "2026-11-01T10:00:00.123456Z",
    }


def test_each_event_is_counted_once():
    lago, refused = Lago(known=["transaction-1"], odd=["transaction-3"]), []
    assert resend.send(lago, events(1, 2, 3, 4), "key", refused) == (2, 1)
    assert [one["event"]["transaction_id"] for one in refused] == ["transaction-3"]
    assert lago.requests[0] == ("/api/v1/events/batch", "key", [f"transaction-{number}" for number in (1, 2, 3, 4)])
    # Once more: nothing new.
    assert resend.send(lago, events(1, 2, 4), "key", []) == (0, 3)


def test_a_key_that_is_refused():
    class Closed:
        def post(self, _path, _body, _key):
            return 401, {"status": 401}

    refused = []
    assert resend.send(Closed(), events(1, 2), "key", refused) == (0, 0)
    assert len(refused) == 2


class Nothing:
    def add(self, _count):
        pass


def test_batches(tmp_path):
    path = tmp_path / "events.jsonl"
    rows = [row(number) for number in range(150)] + [row(200, organization_id="other"), row(201, deleted_at="x")]
    path.write_text("".join(json.dumps(one) + "\n" for one in rows))
    found = [(organization, len(one)) for organization, one in resend.batches(path, Nothing())]
    assert found == [("organization", 100), ("organization", 50), ("other", 1)]


@pytest.fixture
def server(monkeypatch):
    """An API on this machine; says 503 twice, as one that boots."""
    seen = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            seen.append((self.path, self.headers["Authorization"], body))
            self.send_response(503 if len(seen) < 3 else 200)
            self.end_headers()
            self.wfile.write(b"{}")

        def log_message(self, *_arguments):
            pass

    server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setattr(resend.time, "sleep", lambda _seconds: None)
    monkeypatch.setattr(resend, "run", lambda _command: type("Done", (), {"stdout": "127.0.0.1 "}))
    yield server.server_port, seen
    server.shutdown()


def test_an_api_that_boots_is_asked_again(server):
    port, seen = server
    assert resend.Api("api", port, "one").post("/api/v1/events/batch", {"events": []}, "secret") == (200, {})
    assert [path for path, _key, _body in seen] == ["/api/v1/events/batch"] * 3
    assert seen[0][1] == "Bearer secret"


def test_an_api_that_never_answers(monkeypatch, server):
    port, _seen = server
    monkeypatch.setattr(resend, "PATIENCE_SECONDS", -1)
    with pytest.raises(Failure, match="does not take the events that were kept: 503") as failure:
        resend.Api("api", port, "one").post("/", {}, "secret")
    assert "not all in yet. Correct that and type, to go on with them: just rollback -l one" in str(failure.value)


def test_what_is_said():
    lines = since.described({"events": 5, "payments": 2, "customers": 1, "users": 0})
    assert lines[0] == "Since that backup 8 rows were written, 5 of them events, which are kept and sent again"
    assert any("2 in payments" in line for line in lines)
    assert lines[-1] == "Also not there any more: 1 in customers"
    assert len(since.described({"events": 5})) == 1


def test_a_backup_that_is_gone_is_told_before_anything_else():
    class Place:
        def find(self, name):
            raise NoBackup(f"There is no backup {name}. There are: bbbbbbbb")

    with pytest.raises(Failure, match=r"no backup a1\. There are: b{8}\. The way back needs that one.*just backups"):
        since.since({}, Place(), {"backup": "a1"})


def test_what_made_lagos_containers_and_nothing_else():
    stored = [
        "manifest.json", "server/mash/lago/api/env", "server/mash/lago/front/labels", "server/mash/postgres/env",
        "server/etc/systemd/system/mash-lago-api.service", "server/etc/systemd/system/mash-valkey.service",
        "storage/invoice.pdf", "server/mash/lago-other/api/env",
    ]  # fmt: skip
    lago = {"environment": "/mash/lago/api/env", "identifier": "mash-lago"}
    assert since.files_of_lago(stored, lago) == [
        "/etc/systemd/system/mash-lago-api.service",
        "/mash/lago/api/env",
        "/mash/lago/front/labels",
    ]


@pytest.mark.parametrize("changed", [False, True])
def test_a_password_that_was_changed_since_is_told_before_anything_is_put_back(tmp_path, changed):
    now, before = tmp_path / "now", tmp_path / "before"
    for path, password in ((now, "new" if changed else "old"), (before / str(now)[1:], "old")):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"A=1\nDATABASE_URL=postgres://lago:{password}@mash-postgres/lago\n")
    if not changed:
        return since.check_database(str(now), str(before))
    with pytest.raises(Failure, match="another password") as failure:
        since.check_database(str(now), str(before))
    assert "old" not in str(failure.value).split()
    return None
