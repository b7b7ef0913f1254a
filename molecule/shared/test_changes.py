# SPDX-FileCopyrightText: 2026 The selfhosting.lago authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""What check mode announces is what the run then does, and a run without need does nothing."""

import itertools

NOTHING = {"networks": [], "images": [], "directories": [], "files": [], "units": {}}


def test_each_check_announced_what_the_run_after_it_did(runs):
    compared = [(check, run) for check, run in itertools.pairwise(runs) if check.check and not run.check]
    assert compared, "no run had a check before it: molecule test begins with one"
    for check, run in compared:
        assert check.changes == run.changes
    # The first install has something to compare of every kind; images may be on a server that has Docker.
    assert [kind for kind, changes in compared[0][0].changes.items() if not changes and kind != "images"] == []


def test_a_second_run_and_a_second_check_change_nothing(runs):
    _check, _first, second, check = runs[:4]
    assert (second.check, check.check) == (False, True)
    for run in (second, check):
        assert (run.changes, run.tasks) == (NOTHING, [])


def test_a_second_run_restarts_no_unit(runs):
    before, after = (run.invocations for run in runs[2:4])
    assert before
    assert before == after
