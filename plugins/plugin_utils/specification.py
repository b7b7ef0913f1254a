# SPDX-FileCopyrightText: 2026 The selfhosting.lago authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""What users may set: names and types of roles/*/meta/argument_specs.yml, checked in the preflight.

The expressions of the products work with the values as they are, so what Ansible would convert for a module is accepted
only where they work with it too: a number as text or text as a number, but no text as a list.
"""

from __future__ import annotations

import functools
import os
import typing as t

from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible.module_utils.common.yaml import yaml_load
from ansible.module_utils.parsing.convert_bool import BOOLEANS, boolean

COLLECTION = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
WORDS = {
    "bool": "true or false",
    "int": "a whole number",
    "float": "a number",
    "dict": "a dictionary",
    "list": "a list",
}


@functools.cache
def read_yaml(*path: str) -> dict:
    """A file of this collection; nobody may change what is returned."""
    file = os.path.join(COLLECTION, *path)
    if not os.path.exists(file):
        return {}
    with open(file, encoding="utf-8") as opened:
        return yaml_load(opened) or {}


def options_of(role: str) -> dict[str, dict]:
    """Each variable of the role with its type; without templates, and nobody may change what is returned."""
    specification = read_yaml("roles", role, "meta", "argument_specs.yml")
    return specification["argument_specs"]["main"]["options"] if specification else {}


def defaults_of(role: str) -> dict[str, t.Any]:
    """The role's defaults as they are written, and what the wiring sets."""
    return {
        **read_yaml("roles", role, "defaults", "main.yml"),
        **read_yaml("playbooks", "group_vars", "mash_servers.yml"),
    }


@functools.cache
def _booleans() -> frozenset[str]:
    roles = sorted(os.listdir(os.path.join(COLLECTION, "roles")))
    return frozenset(name for role in roles for name, option in options_of(role).items() if option["type"] == "bool")


def as_specified(name: str, value: t.Any) -> t.Any:
    """The boolean where one was given as text, as with --extra-vars lago_enabled=no; anything else as it is."""
    if isinstance(value, str) and value.strip().lower() in BOOLEANS and name in _booleans():
        return boolean(value)
    return value


def allowed(option: t.Mapping) -> str:
    """What a message says instead of the type."""
    if "choices" in option:
        return ", ".join(str(choice) for choice in option["choices"])
    words = WORDS.get(option["type"], "text or a number")
    if option.get("options"):
        words = f"a dictionary with {', '.join(option['options'])}"
    if option["type"] == "list":
        each = "texts" if option.get("elements", "str") == "str" else f"{option['elements']}s"
        words = f"a list of {'dictionaries with ' + ', '.join(option['options']) if option.get('options') else each}"
    return words


def fault(value: t.Any, option: t.Mapping) -> str | None:
    """Where in the value it is not what its option asks for: "" for the whole of it, None for nowhere."""
    kind = option["type"]
    if value is None:
        return None if kind in ("str", "path", "raw") and "choices" not in option else ""
    if kind == "list":
        if not isinstance(value, (list, tuple)):
            return ""
        return _fault_of_an_entry(value, {**option, "type": option.get("elements", "raw")})
    if kind == "dict":
        if not isinstance(value, t.Mapping):
            return ""
        return _fault_of_a_key(value, option["options"]) if option.get("options") else None
    if kind == "raw":
        return None
    # True is 1 and "True" in Python, and every list can be written as text.
    if (kind != "bool" and isinstance(value, bool)) or isinstance(value, (list, tuple, t.Mapping)):
        return ""
    simple = {key: option[key] for key in ("type", "choices") if key in option}
    return "" if ArgumentSpecValidator({"value": simple}).validate({"value": value}).error_messages else None


def _fault_of_an_entry(values: t.Iterable, option: t.Mapping) -> str | None:
    for number, value in enumerate(values, 1):
        found = "" if value is None else fault(value, option)
        if found is not None:
            return f"entry {number}: {found}" if found else f"entry {number} does not fit"
    return None


def _fault_of_a_key(value: t.Mapping, options: t.Mapping) -> str | None:
    for name in value:
        if name not in options:
            return f"{name} is unknown"
    for name, option in options.items():
        if option.get("required") and value.get(name) is None:
            return f"{name} is missing"
        found = fault(value[name], option) if name in value else None
        if found is not None:
            return f"{name}: {found}" if found else f"{name} does not fit (allowed: {allowed(option)})"
    return None
