# SPDX-FileCopyrightText: 2026 The selfhosting.lago authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""When a clock may be restarted: it is there for some part of each of its minutes."""

import pytest
from ansible_collections.selfhosting.lago.plugins.module_utils import starting
from virtual_host import VirtualHost

CLOCK = {"minutes": [10, 20], "seconds": 215}


@pytest.mark.parametrize(
    ("time", "expected"),
    [
        ("05:00", 0),
        ("07:24", 0),
        # 215 s later the whole of minute 10 would be over.
        ("07:25", 160),
        ("09:59", 6),
        # It may not have seen yet that the minute has begun.
        ("10:00", 5),
        ("10:04", 1),
        ("10:05", 0),
        ("17:25", 160),
        ("20:05", 0),
        ("59:59", 0),
        (None, 0),
    ],
)
def test_seconds_to_wait(time, expected):
    now = time and int(time[:2]) * 60 + int(time[3:])
    assert starting.seconds_to_wait(now, CLOCK) == expected


@pytest.mark.parametrize("seconds", range(61, 540, 53))
def test_whenever_it_stops_no_minute_is_missed_as_a_whole(seconds):
    never_down = {"minutes": [10, 20], "seconds": seconds}
    for asked in range(3600):
        stop = asked
        while pause := starting.seconds_to_wait(stop % 3600, never_down):
            stop += pause
        assert stop - asked < 1205
        marks = [hour * 3600 + minute * 60 for hour in (0, 1) for minute in (10, 20)]
        assert not [mark for mark in marks if stop <= mark and mark + 60 <= stop + seconds], asked


@pytest.mark.parametrize(("seconds", "longest"), [(60, 5), (215, 160), (335, 280), (700, 1245)])
def test_the_longest_wait(seconds, longest):
    assert starting.longest_wait({"minutes": [10, 20], "seconds": seconds}) == longest


def test_it_is_asked_what_time_it_is_where_it_lives(monkeypatch, commands):
    answers = iter(["07 30\n", "10 05\n"])
    paused = []
    asked = commands(starting)
    monkeypatch.setattr(starting, "container_minute", lambda name: minute_of(next(answers)))
    monkeypatch.setattr(starting.time, "sleep", paused.append)
    starting.wait_for_minutes(["a.service", "clock.service"], {"clock.service": {"never_down": CLOCK}})
    assert (paused, asked) == ([155], [])


def test_what_has_no_good_moment_is_not_waited_for_without_end(monkeypatch):
    paused = []
    monkeypatch.setattr(starting, "container_minute", lambda _name: minute_of("21 00"))
    monkeypatch.setattr(starting.time, "sleep", paused.append)
    never_down = {"minutes": [10, 20], "seconds": 3600}
    starting.wait_for_minutes(["clock.service"], {"clock.service": {"never_down": never_down}})
    assert len(paused) == 2


def minute_of(text):
    minute, second = text.split()
    return int(minute) * 60 + int(second)


def test_lago_s_clock():
    order = {service["name"]: service["never_down"] for service in VirtualHost().product("lago").names()}
    assert order.pop("mash-lago-api-clock") == CLOCK
    assert set(order.values()) == {None}
