# SPDX-FileCopyrightText: 2026 The selfhosting.lago authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""How units are stopped and started together, and waited for. Standard library only, Python 3.9 and newer.

systemd knows what units need of each other. Here is what it cannot know: who takes work and who makes it, what stands
in for another one, and which minutes must not be missed.
"""

from __future__ import annotations

import time

from ansible_collections.selfhosting.lago.plugins.module_utils.engine import journal, run, show_units

HOUR = 3600
# Seconds after which a clock has seen that another minute has begun, and done what it does then.
TICK = 5
# What is started next comes after what was started before, but does not wait for a long stop or for other units.
BEGIN_SECONDS = 10


def rank(name, order):
    return order.get(name, {}).get("stop_rank", 0)


def by_rank(names, order, first_stopped=False):
    """Lists of names of one rank each, in the order of a start; or in that of a stop."""
    ranks = sorted({rank(name, order) for name in names}, reverse=first_stopped)
    return [sorted(name for name in names if rank(name, order) == number) for number in ranks]


def turns(names, order):
    """Lists of names that may be restarted together: of each pool one in each."""
    found, seen = [], {}
    for name in sorted(names):
        pool = order.get(name, {}).get("pool")
        number = seen.get(pool, 0) if pool else 0
        if pool:
            seen[pool] = number + 1
        found += [[] for _ in range(number + 1 - len(found))]
        found[number].append(name)
    return found


def start(module, down, stale, order, steps=()):
    """Start what is down, restart what is stale.

    systemctl queues each restart by itself, which would start twice what another one has just pulled in; so only what
    runs is restarted, what is down is started, and both are waited for together, in the order of the units' own.

    What has a rank is stopped before anything is restarted, and started after it: no clock fills queues on which nobody
    works. Only the beginning of a start is waited for, so that all boot at once. The steps are called right before the
    restarts.
    """
    run(["systemctl", "reset-failed", "--", *sorted([*down, *stale])], check=False)
    first, *later = turns(stale, order) or [[]]
    wait_for_minutes(first, order)
    stopped = [names for names in by_rank(first, order, first_stopped=True) if rank(names[0], order)]
    for names in stopped:
        run(["systemctl", "stop", "--", *names], check=False)
    try:
        for step in steps:
            step()
    except SystemExit:
        for names in reversed(stopped):
            run(["systemctl", "start", "--no-block", "--", *names], check=False)
        raise
    ranked = [name for name in [*down, *first] if rank(name, order)]
    unranked = [name for name in first if not rank(name, order)]
    if unranked:
        begin("restart", unranked)
    try:
        if later:
            wait_for(module, sorted(name for name in [*down, *first] if not rank(name, order)))
        for names in later:
            run(["systemctl", "restart", "--no-block", "--", *names], check=False)
            wait_for(module, names)
    finally:
        # Also where a replica does not get ready: the others serve, and there is work.
        *earlier, last = by_rank(ranked, order) or [[]]
        for names in earlier:
            begin("start", names)
        if last:
            run(["systemctl", "start", "--no-block", "--", *last], check=False)
    wait_for(module, sorted([*down, *first]))


def begin(verb, names):
    """Queue it, and wait until each of them has begun to start."""
    before = show_units(names)

    def begun(name, now):
        # systemd gives a unit another one whenever it begins to start.
        again = now.get("InvocationID") != before[name].get("InvocationID")
        return again or (verb == "start" and now.get("ActiveState") in ("active", "activating"))

    run(["systemctl", verb, "--no-block", "--", *names], check=False)
    deadline = time.monotonic() + BEGIN_SECONDS
    while time.monotonic() < deadline and not all(begun(name, now) for name, now in show_units(names).items()):
        time.sleep(0.05)


def wait_for(module, names):
    if names:
        run(["systemctl", "start", "--", *names], check=False)
    problems = failures(names)
    if problems:
        module.fail_json(msg="\n".join(problems), units={})


def failures(names):
    """The units that are not up, with what they said last."""
    found = []
    for name, properties in show_units(names).items():
        if properties.get("ActiveState") != "active":
            state = f"{properties.get('ActiveState')}/{properties.get('SubState')}, result {properties.get('Result')}"
            lines = journal(name)
            found.append(
                "\n".join([f"{name} did not get ready ({state}). Its journal ends:", *(f"  {line}" for line in lines)])
            )
    return found


def wait_for_minutes(names, order):
    """Until what is restarted will be there for some part of each minute that it must not miss."""
    for name in names:
        never_down = order.get(name, {}).get("never_down", {})
        # Once for each: what takes most of an hour to restart finds no better moment than after the last.
        for _minute in never_down.get("minutes", []):
            if pause := seconds_to_wait(container_minute(name), never_down):
                time.sleep(pause)


def longest_wait(never_down):
    """Seconds that wait_for_minutes takes at most; one wait may end where the next minute is near."""
    longest = 0
    for begin in range(HOUR):
        now = begin
        for _minute in never_down["minutes"]:
            now += seconds_to_wait(now % HOUR, never_down)
        longest = max(longest, now - begin)
    return longest


def container_minute(name):
    """Seconds since the full hour, in the container's own time zone; None where it cannot say."""
    done = run(["docker", "exec", name.rsplit(".", 1)[0], "date", "+%M %S"], check=False)
    try:
        minute, second = done.stdout.split()
        return int(minute) * 60 + int(second)
    except ValueError:
        return None


def seconds_to_wait(now, never_down):
    """Zero where a stop now and a start C(seconds) later leave some part of each minute."""
    if now is None:
        return 0
    pauses = [0]
    for minute in never_down["minutes"]:
        ahead, behind = (minute * 60 - now) % HOUR, (now - minute * 60) % HOUR
        if ahead + 60 <= never_down["seconds"]:
            pauses.append(ahead + TICK)
        elif behind < TICK:
            pauses.append(TICK - behind)
    return max(pauses)
