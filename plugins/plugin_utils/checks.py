# SPDX-FileCopyrightText: 2026 The selfhosting.lago authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Evaluate a role's checks.yml: what must hold of the user's values and the server."""

from __future__ import annotations

import typing as t

from ansible.errors import AnsibleError

# A value longer than this is shown with its beginning only.
LONGEST_VALUE = 60


def shown(value: t.Any, secret: bool) -> str:
    """The value as a message may show it: a secret only by its length."""
    if value is None or value == "":
        return "is empty"
    if secret:
        return f"is set ({len(str(value))} characters, not shown)"
    text = str(value)
    return f"is {text[:LONGEST_VALUE] + '...' if len(text) > LONGEST_VALUE else text!r}"


def problems_of(product: t.Any) -> list[str]:
    """One text for each check that does not hold: variable, what was seen, what to do."""
    problems = []
    for check in product.checks():
        variable = check["variable"]
        try:
            if "when" in check and not product.evaluate(check["when"]):
                continue
            if product.evaluate(check["that"]):
                continue
            value = product.evaluate(check.get("seen", variable))
        except AnsibleError as error:
            problems.append(f"{variable} cannot be evaluated: {error}. {check['say']}")
            continue
        problems.append(f"{variable} {shown(value, check.get('secret', False))}. {check['say']}")
    return problems
