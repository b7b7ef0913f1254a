# SPDX-FileCopyrightText: 2026 The selfhosting.lago authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""What is wrong with the values of a product: their types and kinds, and what its checks.yml says must hold."""

from __future__ import annotations

import typing as t

from ansible.errors import AnsibleError

from .kinds import kind_fault, shortest_secret, weakness
from .specification import allowed, defaults_of, fault, options_of

# A value longer than this is shown with its beginning only; what a check makes of a value may be longer.
LONGEST_VALUE = 60
LONGEST_FINDING = 500


class Problem(str):
    """What a user reads: variable, what was seen, what is allowed, what to do."""

    variable: str
    # Why the value could not be seen; it may be the consequence of another problem. "" where it was seen.
    error: str
    # Told, but no reason to stop.
    warning: bool
    # Which check it comes from, for the tests.
    source: str

    def __new__(cls, variable: str, text: str, error: t.Any = "", warning: bool = False, source: str = "") -> Problem:
        problem = super().__new__(cls, f"{variable} {text}")
        problem.variable, problem.error, problem.warning, problem.source = variable, str(error), warning, source
        return problem


def shown(value: t.Any, secret: bool, longest: int = LONGEST_VALUE) -> str:
    """The value as a message may show it: a secret only by its length."""
    if value is None or value in ("", [], ()):
        return "is empty"
    if secret and isinstance(value, (list, tuple, t.Mapping)):
        return f"is set (entries: {len(value)}, not shown)"
    if secret:
        return f"is set ({len(str(value))} characters, not shown)"
    text = str(value)
    return f"is {text[:longest] + '...' if len(text) > longest else text!r}"


def _broken(product: t.Any, checks: list[dict]) -> list[dict]:
    """Those that do not hold, found by one expression: compiling each of them takes most of the time of them all."""
    together = ", ".join(f"({check.get('when', 'true')}) and not ({check['that']})" for check in checks)
    try:
        return [check for check, broken in zip(checks, product.evaluate(f"[{together}]"), strict=True) if broken]
    except AnsibleError:
        # Some cannot be evaluated: each has to be looked at.
        return checks


def problems_of(product: t.Any) -> list[Problem]:
    """One for each check that does not hold."""
    problems = []
    for check in _broken(product, product.checks()):
        variable = check.get("fact") or check["variable"]
        source = f"{product.name}: {check['that']}"
        try:
            if "when" in check and not product.evaluate(check["when"]):
                continue
            if product.evaluate(check["that"]):
                continue
            value = product.evaluate(check.get("seen") or check["variable"])
            warning = bool(product.evaluate(str(check.get("warning", False))))
            detail = f" {product.evaluate(check['detail'])}" if "detail" in check else ""
        except AnsibleError as error:
            text = f"cannot be evaluated: {error}. {check['say']}"
            problems.append(Problem(variable, text, error, source=source))
            continue
        longest = LONGEST_FINDING if "seen" in check else LONGEST_VALUE
        text = f"{shown(value, check.get('secret', False), longest)}.{detail} {check['say']}"
        problems.append(Problem(variable, text, warning=warning, source=source))
    return problems


def misfits_of(product: t.Any, variables: t.Mapping, in_use: bool = False) -> list[Problem]:
    """One for each variable that is not what the role's specification says, or not of the kind that its name says.

    Only what the user set is looked at: defaults and wiring are right by test. Of a product that is switched off, that
    is its switch alone. With secrets that are in use already, a weak one is a warning: a change would cost the data.
    """
    options, defaults, problems = options_of(product.name), defaults_of(product.name), []
    for name in options if product.enabled else product.switches & options.keys():
        if name not in variables or (name in defaults and variables[name] == defaults[name]):
            continue
        try:
            value = product.variable(name)
        except AnsibleError as error:
            text = f"cannot be evaluated: {error}. {_remedy(allowed(options[name]), options[name])}"
            problems.append(Problem(name, text, error, source="type"))
            continue
        problem = _misfit(name, value, options[name], in_use)
        if problem:
            problems.append(problem)
    return problems


def _misfit(name: str, value: t.Any, option: t.Mapping, in_use: bool) -> Problem | None:
    secret = option.get("no_log", False)
    where = fault(value, option)
    if where is not None:
        seen = "has no value" if value is None else shown(value, secret)
        text = f"{seen}{'; ' + where if where else ''}. {_remedy(allowed(option), option)}"
        return Problem(name, text, source="type")
    unfit = kind_fault(name, value)
    if unfit:
        kind, words = unfit
        return Problem(name, f"{shown(value, secret)}. {_remedy(words, option)}", source=f"kind: {kind}")
    shortest = shortest_secret(name)
    weak = weakness(str(value), shortest) if shortest is not None and value not in (None, "") else ""
    if weak:
        return Problem(name, f"{shown(value, True)}; {weak}. {_advice(in_use)}", warning=in_use, source="secret")
    return None


def _advice(in_use: bool) -> str:
    if in_use:
        return "It is in use already; docs/services/lago.md says which secrets can be changed, and how."
    return "Put a random one in its place: openssl rand -hex 32"


def _remedy(words: str, option: t.Mapping) -> str:
    remedy = f"Allowed: {words}. Correct the line or remove it."
    if option.get("default") not in (None, "", [], {}):
        remedy = f"{remedy.removesuffix('.')}; without it: {_written(option['default'])}."
    return remedy


def _written(value: t.Any) -> str:
    """As in a vars.yml."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def together(misfits: t.Sequence[Problem], problems: t.Sequence[Problem]) -> list[Problem]:
    """Both, without saying anything twice: a check knows better what to do, and a wrong type makes others fail."""
    if any(not misfit.error and not misfit.warning for misfit in misfits):
        problems = [problem for problem in problems if not problem.error]
    told = {problem.variable for problem in problems}
    misfits = [misfit for misfit in misfits if misfit.variable not in told]
    # What refers to something wrong fails like it; the first of them is the one that says it.
    errors: set[str] = set()
    return [one for one in [*misfits, *problems] if not one.error or not (one.error in errors or errors.add(one.error))]
