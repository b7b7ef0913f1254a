# SPDX-FileCopyrightText: 2026 The selfhosting.lago authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""The fault suite of molecule/faults: what its client takes for accepted, how runs count, docs/reliability.md."""

import datetime
import http.client
import json
import sys
import time
import zoneinfo
from types import SimpleNamespace

import pytest
from virtual_host import REPOSITORY

sys.path.insert(0, str(REPOSITORY / "molecule"))
from faults import contexts, ledger, playbook, report, run, table, ways
from faults.sender import Attempt, Sender, sending
from testbed import time_zones

GOOD = {"accepted": 9, "found": 9, "duplicates": 0, "final": 0, "clocks": 1, "clocks_at_once": 1, "human": 0}
GOOD |= {"jobs_lost": 0, "jobs_at_risk": 4, "failed": 0}


class FakeSite:
    """Answers one request after the other with what is given: a status, a status and a body, or what breaks."""

    authorization = "Bearer key"

    def __init__(self, *answers):
        self.answers = list(answers)

    def request(self, *_arguments, **_options):
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        status, details = answer if isinstance(answer, tuple) else (answer, {})
        return SimpleNamespace(status=status, body=json.dumps({"error_details": details}).encode())


EXISTS = (422, {"transaction_id": ["value_already_exist"]})


@pytest.mark.parametrize(
    ("answers", "accepted", "final"),
    [
        ([200], True, False),
        ([503, 500, 429, 200], True, False),
        ([TimeoutError(), http.client.RemoteDisconnected(), 200], True, False),
        # Saved, and then the queue was not there: the event is in.
        ([500, EXISTS], True, False),
        # Nobody else may have used the id.
        ([EXISTS], False, True),
        ([503, (422, {"timestamp": ["invalid_format"]})], False, True),
        ([405], False, True),
        ([404], False, True),
        ([401], False, True),
    ],
)
def test_what_the_client_takes_for_accepted(answers, accepted, final, monkeypatch):
    monkeypatch.setattr("faults.sender.RETRY", 0)
    sender = Sender(FakeSite(*answers), pause=0)
    sender.deliver("one")
    assert (len(sender.accepted) == 1, len(sender.final) == 1) == (accepted, final)
    assert len(sender.attempts) == len(answers)


def test_the_client_is_bounded(monkeypatch):
    monkeypatch.setattr("faults.sender.MOST_EVENTS", 5)
    sender = Sender(FakeSite(*[200] * 9), pause=0)
    sender.run()
    assert len(sender.accepted) == 5
    late = Sender(FakeSite(), pause=0, give_up=0)
    late.run()
    assert late.attempts == []


def test_where_nobody_answers_any_more_it_ends_soon(monkeypatch):
    monkeypatch.setattr("faults.sender.LAST_SECONDS", 0.1)
    monkeypatch.setattr("faults.sender.RETRY", 0.01)
    began = time.monotonic()
    with sending(FakeSite(*[503] * 100000), pause=0) as sent:
        while len(sent.attempts) < 9:
            time.sleep(0.01)
    assert time.monotonic() - began < 10
    assert not sent.accepted


def test_a_fault_that_breaks_leaves_a_server_that_is_well():
    healed = []
    with (
        pytest.raises(AssertionError, match="the fault"),
        run.healed_afterwards(SimpleNamespace(heal=lambda: healed.append(1))),
    ):
        raise AssertionError("the fault")
    assert healed


@pytest.mark.parametrize("minute", range(60))
def test_for_a_quarter_of_an_hour_no_minute_of_the_clock_is_near(minute):
    zone = zoneinfo.ZoneInfo(time_zones.calm_zones(minute)[0])
    then = datetime.datetime(2026, 1, 2, 3, minute, tzinfo=datetime.UTC).astimezone(zone)
    assert 20 < then.minute <= 50
    assert {then.astimezone(zoneinfo.ZoneInfo(one)).minute for one in time_zones.calm_zones(minute)} == {then.minute}


def attempt(begin, end, status):
    return Attempt("event", begin, end, status)


@pytest.mark.parametrize(
    ("attempts", "expected"),
    [
        ([(0, 1, 200), (1, 2, 200)], 0),
        ([(0, 1, 200), (1, 2, 503), (3, 4, 503), (5, 6, 200)], 5),
        # What was answered well had begun before the outage, and says nothing of its end.
        ([(0, 3, 200), (1, 2, 503), (4, 5, 200)], 4),
        # Two senders see one outage.
        ([(1, 11, None), (2, 3, 503), (4, 5, 200)], 10),
        ([(0, 1, 503), (2, 3, 200), (7, 8, 500), (9, 10, 200)], 6),
        ([(0, 1, 200), (1, 2, 503)], 1),
        ([(1, 2, 405), (3, 4, 200)], 3),
    ],
)
def test_seconds_of_failed_requests(attempts, expected):
    assert sum(end - begin for begin, end in ledger.outages([attempt(*one) for one in attempts])) == expected


def test_clocks_at_once():
    assert ledger.clocks_at_once([]) == 0
    assert ledger.clocks_at_once([("a", 1), ("a", 5), ("b", 6), ("b", 9)]) == 1
    assert ledger.clocks_at_once([("a", 1), ("b", 4), ("a", 5), ("b", 9)]) == 2


@pytest.mark.parametrize(
    ("changes", "row", "says"),
    [
        ({}, {}, None),
        ({"found": 8}, {}, "found 8 of 9 accepted"),
        ({"duplicates": 1}, {}, "1 duplicates"),
        ({"final": 2}, {}, "2 answers that a client takes as final"),
        ({"clocks": 0}, {}, "0 clocks alive, 1 at once"),
        ({"clocks_at_once": 2}, {}, "1 clocks alive, 2 at once"),
        ({"human": 1}, {}, "a human was needed"),
        ({"jobs_lost": 1}, {}, "1 jobs lost, allowed 0"),
        ({"jobs_lost": 4}, {"may_lose": "jobs"}, None),
        ({"jobs_lost": 5}, {"may_lose": "jobs"}, "5 jobs lost, allowed 4"),
        ({"failed": 50}, {}, None),
        ({"failed": 1}, {"may_fail": "none"}, "1 requests failed, allowed 0"),
        ({"failed": 3}, {"may_fail": "in flight"}, None),
        ({"failed": 4}, {"may_fail": "in flight"}, "4 requests failed, allowed 3"),
    ],
)
def test_what_a_row_wants(changes, row, says):
    assert ledger.broken_wishes(GOOD | changes, row) == ([says] if says else [])


def test_each_row_can_be_made():
    rows = table.rows()
    names = [row["name"] for row in rows]
    assert len(names) == len(set(names))
    for row in rows:
        assert callable(getattr(ways, row["way"], None) or getattr(playbook, row["way"], None)), row
        assert callable(getattr(contexts, row.get("within", "one_api_container"))), row
        assert row["kind"] in ("planned", "unplanned")
        assert row.get("may_lose", "jobs") == "jobs"
        assert row.get("may_fail", "none") in ("none", "in flight")
    assert {row["repetitions"] for row in rows} == {3, 10}


def test_the_short_suite_makes_each_way_but_those_that_are_much_like_another():
    assert {row["way"] for row in table.rows() if row["short"]} >= {
        row["way"] for row in table.rows() if not row.get("compared")
    } - {"change_of_configuration", "restart_with_playbook", "power_cut_in_migration"}


def test_only_what_is_missing_is_made_again(tmp_path):
    file = tmp_path / "runs.jsonl"
    everything = table.missing(file)
    (row, number), (other, other_number) = everything[:2]
    table.append({"suite": table.SUITE, "fault": row["name"], "repetition": number}, file)
    # Counted in another way.
    table.append({"suite": table.SUITE - 1, "fault": other["name"], "repetition": other_number}, file)
    assert table.missing(file) == everything[1:]


def test_the_page_is_what_the_runs_say():
    assert report.PAGE.read_text() == report.render(), "PYTHONPATH=molecule python -m faults.report writes it"


def test_seconds_on_the_page_are_no_sharper_than_those_of_a_run():
    (row, *_others) = table.rows()
    runs = [GOOD | {"jobs": 9, "failed_seconds": seconds} for seconds in (1.1, 2.2)]
    assert report.summary(row, runs)["median"] == 1.7


def test_each_recorded_run_is_of_a_row():
    names = {row["name"] for row in table.rows()}
    runs = [(line["fault"], line["repetition"]) for line in table.recorded()]
    assert {name for name, _number in runs} <= names
    assert len(runs) == len(set(runs)), "a run is recorded twice"
