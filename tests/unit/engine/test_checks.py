# SPDX-FileCopyrightText: 2026 The selfhosting.lago authors
# SPDX-License-Identifier: AGPL-3.0-or-later
import pytest
from ansible_collections.selfhosting.lago.plugins.plugin_utils.checks import problems_of, shown

CHECKS = """
checks:
  - {variable: a, that: a == 'x', say: Set a to x.}
  - {variable: b, when: a == 'y', that: b, say: Set b., secret: true}
  - {variable: c, that: c | length < 3, say: Make c shorter., seen: c | length}
"""


@pytest.mark.parametrize(
    ("value", "secret", "expected"),
    [
        ("", False, "is empty"),
        (None, True, "is empty"),
        ("x", False, "is 'x'"),
        (0, False, "is '0'"),
        (False, False, "is 'False'"),
        ("swordfish", True, "is set (9 characters, not shown)"),
        ("x" * 60, False, f"is '{'x' * 60}'"),
        ("x" * 61, False, f"is '{'x' * 60}...'"),
    ],
)
def test_shown(value, secret, expected):
    assert shown(value, secret) == expected


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({"a": "x", "b": "", "c": ""}, []),
        ({"a": "z", "b": "", "c": "123"}, ["a is 'z'. Set a to x.", "c is '3'. Make c shorter."]),
        ({"a": "y", "b": "", "c": ""}, ["a is 'y'. Set a to x.", "b is empty. Set b."]),
        ({"a": "{{ 'x' }}", "b": "", "c": "{{ a }}"}, []),
    ],
)
def test_problems(product_of, variables, expected):
    assert problems_of(product_of(CHECKS, **variables)) == expected


def test_what_cannot_be_evaluated_is_a_problem_among_others(product_of):
    first, second = problems_of(product_of(CHECKS, a="{{ nothing }}", b="", c="123"))[0::2]
    assert first.startswith("a cannot be evaluated: ")
    assert "'nothing' is undefined" in first
    assert first.endswith("Set a to x.")
    assert second == "c is '3'. Make c shorter."
