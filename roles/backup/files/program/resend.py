# SPDX-FileCopyrightText: 2026 The selfhosting.lago authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Sends the events that were kept to Lago's API once more, with the same transaction ids, so that none counts twice.

Reads resend.json in the data directory: `api` is the name of the API's container, `port` where it listens.
"""

from __future__ import annotations

import http.client
import json
import os
import time

from backup import clear, server_of
from shell import Failure, Progress, run, say
from since import DIRECTORY, EVENTS, SERVER

# Lago takes no more at once.
BATCH = 100
# Lago boots in 20 to 60 s on a small server.
PATIENCE_SECONDS = 600
FIELDS = ("transaction_id", "external_subscription_id", "code", "properties", "precise_total_amount_cents")
KEYS = "SELECT organization_id, value FROM public.api_keys ORDER BY created_at DESC"
THERE = "value_already_exist"
REFUSED = "refused.jsonl"


class Api:
    """Reached past the reverse proxy."""

    def __init__(self, container, port, host):
        self._container, self._port, self._host = container, port, host

    def post(self, path, body, key):
        """Status and answer; tried again while there is nobody or too much to do."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while True:
            try:
                status, answer = self._post(path, body, key)
            except (OSError, http.client.HTTPException, ValueError, IndexError) as error:
                status, answer = 503, str(error)
            if status not in (429, 500, 502, 503, 504):
                return status, answer
            if time.monotonic() > deadline:
                raise Failure(
                    f"Lago's API does not take the events that were kept: {status} {answer}. Lago serves, and they are "
                    f"not all in yet. Correct that and type, to go on with them: just rollback -l {self._host}"
                )
            time.sleep(1)

    def _post(self, path, body, key):
        form = "{{range .NetworkSettings.Networks}}{{.IPAddress}} {{end}}"
        address = run(["docker", "inspect", f"--format={form}", self._container]).stdout.split()[0]
        connection = http.client.HTTPConnection(address, self._port, timeout=60)
        try:
            headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json", "Host": "localhost"}
            connection.request("POST", path, json.dumps(body), headers)
            response = connection.getresponse()
            return response.status, json.loads(response.read() or "{}")
        finally:
            connection.close()


def as_sent(row):
    """An event as the API takes it, from the row that it once became."""
    event = {name: row[name] for name in FIELDS if row.get(name) is not None}
    return {**event, "timestamp": row["timestamp"] + ("" if row["timestamp"].endswith("Z") else "Z")}


def send(api, events, key, refused):
    """How many were new, and how many were there already. A batch is taken as a whole or not at all."""
    there = 0
    while events:
        status, answer = api.post("/api/v1/events/batch", {"events": events}, key)
        if status == 200:
            return len(events), there
        faults = answer.get("error_details") if status == 422 else None
        numbers = {int(number): fault for number, fault in (faults or {}).items() if str(number).isdigit()}
        if not numbers:
            refused += [{"event": event, "answer": answer} for event in events]
            return 0, there
        for number, fault in numbers.items():
            if THERE in (fault.get("transaction_id") or []):
                there += 1
            else:
                refused.append({"event": events[number], "answer": fault})
        events = [event for number, event in enumerate(events) if number not in numbers]
    return 0, there


def resend(configuration, request):
    directory = os.path.join(configuration["data_path"], DIRECTORY)
    path = os.path.join(directory, EVENTS)
    # Put in place by now, and noted as such: a run that goes on comes here at once. It holds keys.
    clear(os.path.join(directory, SERVER))
    lines = server_of(configuration).ask(KEYS, configuration["lago"]["database"])
    keys = dict(line.split("|", 1) for line in lines)
    api, refused, sent, there = Api(request["api"], request["port"], configuration["host"]), [], 0, 0
    progress = Progress("Sending events again", os.path.getsize(path))
    for organization, events in batches(path, progress):
        if organization not in keys:
            refused += [{"event": event, "answer": "its organization has no API key"} for event in events]
            continue
        new, known = send(api, events, keys[organization], refused)
        sent, there = sent + new, there + known
    say(f"Events sent again: {sent} taken, {there} were in the backup already, {len(refused)} refused")
    if refused:
        kept = os.path.join(os.path.dirname(path), REFUSED)
        with open(kept, "w", encoding="utf-8") as file:
            file.writelines(json.dumps(one) + "\n" for one in refused)
        say(f"Those that were refused are in {kept}, each with the answer")


def batches(path, progress):
    """Organization and events, up to a full batch of each."""
    waiting = {}
    with open(path, encoding="utf-8") as file:
        for line in file:
            progress.add(len(line))
            if not line.strip():
                continue
            row = json.loads(line)
            if row.get("deleted_at"):
                continue
            events = waiting.setdefault(row["organization_id"], [])
            events.append(as_sent(row))
            if len(events) == BATCH:
                yield row["organization_id"], waiting.pop(row["organization_id"])
    yield from waiting.items()
