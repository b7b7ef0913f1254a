# SPDX-FileCopyrightText: 2026 The selfhosting.lago authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Variables and templates of a product with their values in them: once for each variable, and with little of Jinja."""

from __future__ import annotations

import contextlib
import re
import typing as t

from ansible.errors import AnsibleError
from ansible.template import Templar, is_trusted_as_template, trust_as_template

from .specification import as_specified

IDENTIFIER = re.compile(r"\b[A-Za-z_][A-Za-z0-9_]*\b")
# Names and text one after the other, and nothing that Jinja would have to work out.
JOINED = re.compile(r"(?:[^{}]|\{\{ [A-Za-z_][A-Za-z0-9_]* \}\})+")
NAME = re.compile(r"\{\{ ([A-Za-z_][A-Za-z0-9_]*) \}\}")
# What finds variables whose names a template does not show.
SEES_ALL = {"lookup", "query", "q", "vars", "hostvars", "include", "import"}
UNKNOWN = object()


class Settled:
    """Variables of which each template is resolved once, before what refers to it.

    Ansible resolves a variable anew at each reference, and all that it refers to with it: three times the work of all
    of Lago's names. What cannot be resolved stays as it is and fails where it is really used.
    """

    def __init__(self, templar: Templar, variables: dict[str, t.Any]):
        self.variables = variables
        self._templar = templar.copy_with_new_env(available_variables=variables)
        self._seen: set[str] = set()
        self._resolved: set[str] = set()

    def settle(self, text: str) -> list[str]:
        """Resolve every variable that a template refers to; the names in the template."""
        names = IDENTIFIER.findall(text)
        for name in names:
            if name in self.variables and name not in self._seen:
                self._seen.add(name)
                with contextlib.suppress(AnsibleError):
                    self.variables[name] = as_specified(name, self.resolve(self.variables[name]))
                    self._resolved.add(name)
        return names

    def resolve(self, value: t.Any, local: t.Mapping[str, t.Any] | None = None) -> t.Any:
        """The value with all templates in it resolved; `local` are values that only these templates see."""
        if isinstance(value, str):
            return self._text(value, local or {}) if is_trusted_as_template(value) else value
        # Other mappings, such as hostvars, stay what they are.
        if isinstance(value, dict):
            return {self.resolve(key, local): self.resolve(item, local) for key, item in value.items()}
        if isinstance(value, (list, tuple)):
            return [self.resolve(item, local) for item in value]
        return value

    def evaluate(self, expression: str) -> t.Any:
        self._see(self.settle(expression), {})
        return self._templar.evaluate_expression(trust_as_template(expression))

    def _text(self, text: str, local: t.Mapping[str, t.Any]) -> t.Any:
        if "{" not in text:
            return text
        names = self.settle(text)
        # A third of a product's templates; compiling templates is half of the work.
        if JOINED.fullmatch(text) and (joined := self._joined(text, local)) is not UNKNOWN:
            return joined
        self._see(names, local)
        return self._templar.template(text)

    def _joined(self, text: str, local: t.Mapping[str, t.Any]) -> t.Any:
        """What Jinja would make of names and text; unknown where a value would have to be written as text first."""
        if alone := NAME.fullmatch(text):
            return self._known(alone[1], local)
        parts = NAME.split(text)
        parts[1::2] = [self._known(name, local) for name in parts[1::2]]
        plain = all(isinstance(part, (str, int)) and not isinstance(part, bool) for part in parts)
        return "".join(map(str, parts)) if plain else UNKNOWN

    def _known(self, name: str, local: t.Mapping[str, t.Any]) -> t.Any:
        if name in local:
            return local[name]
        return self.variables[name] if name in self._resolved else UNKNOWN

    def _see(self, names: list[str], local: t.Mapping[str, t.Any]) -> None:
        """Let the next template see what it names, where that is all it can need: Ansible wraps each value it sees."""
        known = [name for name in names if name in self.variables]
        if self._resolved.issuperset(known) and SEES_ALL.isdisjoint(names):
            seen = {name: self.variables[name] for name in known}
        else:
            seen = self.variables
        self._templar.available_variables = {**seen, **local}
