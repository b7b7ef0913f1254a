# SPDX-FileCopyrightText: 2026 The selfhosting.lago authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""What is wrong with the values of a product: their types, and what its checks.yml says must hold."""

from __future__ import annotations

import typing as t

from ansible.errors import AnsibleError

from .specification import allowed, defaults_of, fault, options_of

# A value longer than this is shown with its beginning only.
LONGEST_VALUE = 60


class Problem(str):
    """What a user reads: variable, what was seen, what is allowed, what to do."""

    variable: str
    # Whether the value was seen; what cannot be evaluated may be the consequence of another problem.
    certain: bool

    def __new__(cls, variable: str, text: str, certain: bool = True) -> Problem:
        problem = super().__new__(cls, f"{variable} {text}")
        problem.variable, problem.certain = variable, certain
        return problem


def shown(value: t.Any, secret: bool) -> str:
    """The value as a message may show it: a secret only by its length."""
    if value is None or value in ("", [], ()):
        return "is empty"
    if secret and isinstance(value, (list, tuple, t.Mapping)):
        return f"is set (entries: {len(value)}, not shown)"
    if secret:
        return f"is set ({len(str(value))} characters, not shown)"
    text = str(value)
    return f"is {text[:LONGEST_VALUE] + '...' if len(text) > LONGEST_VALUE else text!r}"


def problems_of(product: t.Any) -> list[Problem]:
    """One for each check that does not hold."""
    problems = []
    for check in product.checks():
        variable = check["variable"]
        try:
            if "when" in check and not product.evaluate(check["when"]):
                continue
            if product.evaluate(check["that"]):
                continue
            value = product.evaluate(check.get("seen", variable))
            detail = f" {product.evaluate(check['detail'])}" if "detail" in check else ""
        except AnsibleError as error:
            problems.append(Problem(variable, f"cannot be evaluated: {error}. {check['say']}", certain=False))
            continue
        problems.append(Problem(variable, f"{shown(value, check.get('secret', False))}.{detail} {check['say']}"))
    return problems


def misfits_of(product: t.Any, variables: t.Mapping) -> list[Problem]:
    """One for each variable that is not what the role's specification says.

    Only what the user set is looked at: defaults and wiring are right by test. Of a product that is switched off, that
    is its switch alone.
    """
    options, defaults, problems = options_of(product.name), defaults_of(product.name), []
    for name in options if product.enabled else product.switches & options.keys():
        if name not in variables or (name in defaults and variables[name] == defaults[name]):
            continue
        option = options[name]
        remedy = f"Allowed: {allowed(option)}. Correct the line or remove it."
        if option.get("default") not in (None, "", [], {}):
            remedy = f"{remedy.removesuffix('.')}; without it: {_written(option['default'])}."
        try:
            value = product.variable(name)
        except AnsibleError as error:
            problems.append(Problem(name, f"cannot be evaluated: {error}. {remedy}", certain=False))
            continue
        where = fault(value, option)
        if where is not None:
            seen = "has no value" if value is None else shown(value, option.get("no_log", False))
            problems.append(Problem(name, f"{seen}{'; ' + where if where else ''}. {remedy}"))
    return problems


def _written(value: t.Any) -> str:
    """As in a vars.yml."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def together(misfits: t.Sequence[Problem], problems: t.Sequence[Problem]) -> list[Problem]:
    """Both, without saying anything twice: a check knows better what to do, and a wrong type makes others fail."""
    if any(misfit.certain for misfit in misfits):
        problems = [problem for problem in problems if problem.certain]
    told = {problem.variable for problem in problems}
    return [misfit for misfit in misfits if misfit.variable not in told] + list(problems)
