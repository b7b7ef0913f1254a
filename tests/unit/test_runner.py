# SPDX-FileCopyrightText: 2026 The selfhosting.lago authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""The program behind bin/test."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from runner import results, steps
from runner.processes import Processes
from runner.results import Outcome
from runner.run import Run

REPOSITORY = Path(__file__).resolve().parents[2]


def group(*entries, name="group"):
    return steps.Group(name, tuple(steps.Step(group=name, **entry) for entry in entries))


@pytest.fixture
def outcomes(tmp_path):
    """Runs groups and returns the results by name."""

    def run(*groups, at_once=1):
        done = Run(groups, Processes(dict(os.environ)), tmp_path, at_once).all()
        return {result.name: result for result in done}

    return run


def test_the_list_of_the_repository_is_sound():
    groups = steps.load(REPOSITORY / "tests" / "steps.yml")
    assert groups[0].name == "lint"


SCENARIOS = """
- group: scenarios
  releases: [bookworm, trixie]
  scenarios: {both: [bookworm, trixie], one: [%s], all: together}
  step: {name: "{scenario} on {release}", command: "echo $PWD {scenario} {release}", limit: 7}
"""


def test_a_step_for_each_scenario_and_release(tmp_path):
    path = tmp_path / "steps.yml"
    path.write_text(SCENARIOS % "trixie")
    (some,), (everything,) = steps.load(path), steps.load(path, full=True)
    both = ["both on bookworm", "both on trixie"]
    assert [step.name for step in some.steps] == [*both, "one on trixie", "all on together"]
    assert [step.name for step in everything.steps] == [*both, "one on bookworm", "one on trixie", "all on together"]
    assert (some.steps[2].command, some.steps[2].limit) == ("echo $PWD one trixie", 7)


def test_a_release_that_does_not_exist(tmp_path):
    (tmp_path / "steps.yml").write_text(SCENARIOS % "bullseye")
    with pytest.raises(steps.StepsError, match="scenario one: bullseye is none of"):
        steps.load(tmp_path / "steps.yml")


@pytest.mark.parametrize(
    ("output", "successful", "expected"),
    [
        ("anything", True, (1, 0, 0)),
        ("anything", False, (0, 1, 0)),
        ("==== 12 passed in 1.20s ====", True, (12, 0, 0)),
        ("= 2 failed, 31 passed, 3 skipped, 1 warning, 1 error in 62.34s (0:01:02) =", False, (31, 3, 3)),
        ("4 passed in 0.01s\n  ===== 5 passed, 2 subtests passed in 0.01s =====", True, (9, 0, 0)),
        ("==== 12 passed in 1.20s ====\nthen something else broke", False, (12, 1, 0)),
    ],
)
def test_count(output, successful, expected):
    counts = results.count(output, successful)
    assert (counts["passed"], counts["failed"], counts["skipped"]) == expected


def test_a_failed_step_fails_alone(outcomes):
    done = outcomes(group({"name": "bad", "command": "exit 3"}, {"name": "good", "command": "true"}))
    assert done["bad"].outcome is Outcome.FAILED
    assert done["good"].outcome is Outcome.PASSED
    assert results.last_line(list(done.values())) == "1 passed, 1 failed"


def test_failures_are_told_again_at_the_end(outcomes):
    summary = "\\n".join(
        [
            "FAILED molecule/tests/test_one.py::test_hangs[a b] - Failed: Timeout (>600.0s)",
            "ERROR molecule/tests/test_two.py::test_x - AssertionError: first",
            "    second",
            "=== 1 failed, 1 error in 2.00s ===",
            "not told",
        ]
    )
    bad = {"name": "bad", "command": f"printf '{summary}'; exit 1"}
    done = outcomes(group(bad, {"name": "good", "command": "true"}))
    assert results.failures(list(done.values())) == [
        "failed: bad, exit code 1",
        "  FAILED molecule/tests/test_one.py::test_hangs[a b] - Failed: Timeout (>600.0s)",
        "  ERROR molecule/tests/test_two.py::test_x - AssertionError: first second",
    ]


def test_of_many_failures_the_first_are_told(outcomes):
    done = outcomes(group({"name": "bad", "command": "seq --format='FAILED test.py::test_%g' 20; exit 1"}))
    assert results.failures(list(done.values()))[-1] == "  and 14 more"


def test_what_needs_a_failed_step_is_not_run(outcomes, tmp_path):
    needy = {"name": "needy", "command": f"touch {tmp_path}/ran", "needs": ("bad",)}
    done = outcomes(group({"name": "bad", "command": "false"}, needy), at_once=2)
    assert done["needy"].outcome is Outcome.NOT_RUN
    assert not (tmp_path / "ran").exists()


def test_a_need_that_was_not_selected_does_not_block(outcomes):
    assert outcomes(group({"name": "alone", "command": "true", "needs": ("absent",)}))["alone"].successful


def test_time_limit_ends_children_and_cleans_up(outcomes, tmp_path):
    slow = {"name": "slow", "command": f"(sleep 30; touch {tmp_path}/ran) & wait", "limit": 0.3}
    begin = time.monotonic()
    done = outcomes(group({**slow, "cleanup": f"touch {tmp_path}/cleaned"}))
    assert done["slow"].outcome is Outcome.TIMED_OUT
    assert done["slow"].failed == 1
    assert time.monotonic() - begin < 15
    assert (tmp_path / "cleaned").exists()


def test_steps_run_side_by_side_whatever_their_group(outcomes, tmp_path):
    # Writing to a pipe and reading from it wait for each other.
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    done = outcomes(
        group({"name": "writes", "command": f"echo hello > {pipe}", "limit": 5}, name="one"),
        group({"name": "reads", "command": f"read -r line < {pipe}", "limit": 5}, name="other"),
        at_once=2,
    )
    assert all(result.successful for result in done.values())


def test_steps_have_no_standard_input(outcomes):
    assert outcomes(group({"name": "reads", "command": "! read -r line", "limit": 5}))["reads"].successful


def test_only_brings_what_a_step_needs():
    groups = [group({"name": "base", "command": "true"}, {"name": "else", "command": "true"}, name="first")]
    groups.append(group({"name": "top", "command": "true", "needs": ("base",)}, name="second"))
    kept = steps.select(groups, steps.matching(["t*"], groups, "name"))
    assert [step.name for part in kept for step in part.steps] == ["base", "top"]


def test_unknown_names_are_an_error():
    with pytest.raises(steps.StepsError, match="no name fits nonsense"):
        steps.matching(["nonsense"], [group({"name": "base", "command": "true"})], "name")


@pytest.mark.parametrize("needs", ["needs: [nothing]", "unknown: 1"])
def test_a_wrong_list_is_an_error(tmp_path, needs):
    (tmp_path / "steps.yml").write_text(f"[{{group: g, steps: [{{name: a, command: 'true', {needs}}}]}}]")
    with pytest.raises(steps.StepsError):
        steps.load(tmp_path / "steps.yml")


def test_interruption_ends_steps_and_cleans_up(tmp_path):
    program = f"""
import os, pathlib, signal, sys
# What was started in the background of a shell ignores SIGINT, and so do its children.
signal.signal(signal.SIGINT, signal.default_int_handler)
sys.path.insert(0, {str(REPOSITORY / "tests")!r})
from runner import steps
from runner.processes import Processes
from runner.run import Run
step = steps.Step("slow", "touch {tmp_path}/runs; sleep 60", "group", cleanup="touch {tmp_path}/cleaned")
run = Run([steps.Group("group", (step,))], Processes(dict(os.environ)), pathlib.Path({str(tmp_path)!r}))
print(run.all()[0].outcome.value)
"""
    process = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline().startswith("start")
    # The step is announced just before it starts.
    deadline = time.monotonic() + 30
    while not (tmp_path / "runs").exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    output = process.communicate(timeout=60)[0]
    assert output.splitlines()[-1] == "interrupted"
    assert (tmp_path / "cleaned").exists()
