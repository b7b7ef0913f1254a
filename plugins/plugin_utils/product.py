# SPDX-FileCopyrightText: 2026 The selfhosting.lago authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""A product: the entries of a role's product.yml and product-*.yml with the user's values in them."""

from __future__ import annotations

import copy
import os
import re
import typing as t

from ansible.module_utils.parsing.convert_bool import boolean
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar, trust_as_template

from .definition import ABSENT, DATA, DIRECTORY, FILE, NETWORK, PROGRAM, SERVICE, DefinitionError, validated
from .settled import IDENTIFIER, Settled
from .specification import options_of

COLLECTION = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
FAMILIES = os.path.join(os.path.dirname(os.path.abspath(__file__)), "families.yml")
MARKER = "PREFIX"
# Keys of a container that say which units it has.
NAMES = {
    key: SERVICE[key]
    for key in ("name", "kind", "groups", "image", "dockerfile", "replicas", "stop_rank", "pool", "never_down")
}


def role_path(name: str) -> str:
    return os.path.join(COLLECTION, "roles", name)


def _files(name: str, kind: str) -> list[str]:
    """KIND.yml, and what it is too long for: KIND-<what>.yml."""
    found = [file for file in os.listdir(role_path(name)) if re.fullmatch(rf"{kind}(-\w+)?\.yml", file)]
    return sorted(found, key=lambda file: (file != f"{kind}.yml", file))


def check_files(name: str) -> list[str]:
    return _files(name, "checks")


def product_files(name: str) -> list[str]:
    return _files(name, "product")


def joined(parts: t.Iterable[dict]) -> dict[str, t.Any]:
    """One product of several files: their lists one after the other, their dictionaries together."""
    data: dict[str, t.Any] = {}
    for part in parts:
        for key, value in part.items():
            if key not in data:
                data[key] = value
            elif isinstance(value, list):
                data[key] = [*data[key], *value]
            else:
                twice = set(data[key]) & set(value)
                if twice:
                    raise DefinitionError(f"{key}: defined in two files: {', '.join(sorted(twice))}")
                data[key] = {**data[key], **value}
    return data


def _with_prefix(value: t.Any, prefix: str) -> t.Any:
    """The value with the marker replaced in every string; strings stay templates."""
    if isinstance(value, str):
        return trust_as_template(value.replace(MARKER, prefix))
    if isinstance(value, dict):
        return {_with_prefix(key, prefix): _with_prefix(item, prefix) for key, item in value.items()}
    if isinstance(value, list):
        return [_with_prefix(item, prefix) for item in value]
    return value


def family_variables(families: dict, uses: t.Iterable[dict]) -> dict[str, t.Any]:
    """Every name of the families in use with its default expression."""
    names: dict[str, t.Any] = {}
    for use in uses:
        family = families[use["family"]]
        for prefix in use["prefixes"]:
            for name, default in family.get("variables", {}).items():
                names[name.replace(MARKER, prefix)] = _with_prefix(default, prefix)
            for name in family.get("lists", []):
                name = name.replace(MARKER, prefix)
                for part in ("default", "auto", "custom"):
                    names[f"{name}_{part}"] = []
                names[name] = trust_as_template(f"{{{{ {name}_default + {name}_auto + {name}_custom }}}}")
            for name in family.get("dicts", []):
                name = name.replace(MARKER, prefix)
                for part in ("auto", "custom"):
                    names[f"{name}_{part}"] = {}
                names[name] = trust_as_template(f"{{{{ {name}_auto | combine({name}_custom) }}}}")
    return names


def setting_variables(settings: t.Mapping | None, options: t.Mapping) -> dict[str, t.Any]:
    """The variable of each environment variable NAME, with the default of its specification, and a dictionary of them.

    The default is what the software does without the variable, so a value that is the default is left out of it.
    """
    if not settings:
        return {}
    variables = {name: settings["prefix"] + name.lower() for name in settings["names"]}
    defaults = {name: options[variable]["default"] for name, variable in variables.items()}
    dictionary = ", ".join(f"'{name}': {variable}" for name, variable in variables.items())
    return {
        **{variable: defaults[name] for name, variable in variables.items()},
        f"{settings['variable']}_defaults": defaults,
        settings["variable"]: trust_as_template(
            f"{{{{ {{{dictionary}}} | selfhosting.lago.other_than({settings['variable']}_defaults) }}}}"
        ),
    }


class Product:
    """The data of one role, resolved for one host."""

    def __init__(self, name: str, data: dict, settled: Settled):
        self.name = name
        self._data = data
        self._settled = settled

    @classmethod
    def load(cls, name: str, loader: DataLoader, templar: Templar, variables: t.Mapping) -> Product:

        def load(file: str) -> t.Any:
            path = os.path.join(role_path(name), file)
            # `unsafe` means without a deep copy, which costs more than reading: nothing here changes the data.
            return loader.load_from_file(path, trusted_as_template=True, unsafe=True) if os.path.exists(path) else {}

        data = joined(load(file) for file in product_files(name))
        data["checks"] = [check for file in check_files(name) for check in load(file)]
        families = {**load(FAMILIES), **load("families.yml")}
        expanded = family_variables(families, data.get("families", []))
        expanded.update(setting_variables(data.get("settings"), options_of(name)))
        expanded.update(data.get("variables", {}))
        # What the user, the wiring or the role's defaults set wins over the family.
        return cls(name, data, Settled(templar, {**expanded, **variables}))

    def value(self, key: str, default: t.Any = None) -> t.Any:
        if key not in self._data:
            return default
        return self._settled.resolve(self._data[key])

    def variable(self, name: str) -> t.Any:
        """What a variable is in the end."""
        self._settled.settle(name)
        return self._settled.resolve(self._settled.variables[name])

    def evaluate(self, expression: str) -> t.Any:
        return self._settled.evaluate(expression)

    def prefixes(self, family: str) -> list[str]:
        """The prefixes with which it uses a family of variables."""
        return [
            prefix for use in self._data.get("families", []) if use["family"] == family for prefix in use["prefixes"]
        ]

    @property
    def switches(self) -> set[str]:
        """Names of the variables that say whether it is enabled."""
        return set(IDENTIFIER.findall(str(self._data["enabled"])))

    @property
    def enabled(self) -> bool:
        # With --extra-vars NAME=false it is a string.
        return boolean(self.value("enabled"), strict=False)

    @property
    def identifier(self) -> str:
        return self.value("identifier")

    def _entries(self, key: str, kind: str, specification: dict, only: set[str] | None = None) -> list[dict]:
        """The entries of one list whose `when` holds, once for each item of `for_each`; others are not resolved."""
        found, problems = [], []
        for entry in self._data.get(key, []):
            entry = {**self._data.get("bases", {}).get(entry.get("extends"), {}), **entry}
            entry.pop("extends", None)
            when, items = entry.pop("when", True), entry.pop("for_each", [None])
            entry = {name: value for name, value in entry.items() if only is None or name in only}
            for index, item in enumerate(self._settled.resolve(items)):
                local = {} if item is None else {"item": item, "index": index}
                if not self._settled.resolve(when, local):
                    continue
                try:
                    found.append(validated(kind, specification, _plain(self._settled.resolve(entry, local))))
                except DefinitionError as error:
                    problems.append(str(error))
        if problems:
            raise DefinitionError("\n".join(problems))
        return found

    def services(self) -> list[dict]:
        services = []
        for service in self._entries("services", "container", SERVICE):
            services += _replicas(service)
        return services

    def parts(self, keys: dict[str, dict]) -> list[dict]:
        """Some keys of each container only: a small part of the work of resolving all."""
        services = []
        for service in self._entries("services", "container", keys, only=set(keys)):
            services += _replicas(service)
        return services

    def programs(self) -> list[dict]:
        # What a container has besides.
        nothing = {
            "image": "",
            "dockerfile": None,
            "stop_rank": 0,
            "never_down": None,
            "pool": False,
            "restart_necessary": False,
        }
        return [{**nothing, **program} for program in self._entries("programs", "program", PROGRAM)]

    def names(self) -> list[dict]:
        """What says which units it has, those of programs as well."""
        return self.parts(NAMES) + self.programs()

    def files(self) -> list[dict]:
        return self._entries("files", "file", FILE)

    def directories(self) -> list[dict]:
        return self._entries("directories", "directory", DIRECTORY)

    def networks(self) -> list[dict]:
        return self._entries("networks", "network", NETWORK)

    def data(self) -> list[dict]:
        return self._entries("data", "data", DATA)

    def file_paths(self) -> list[str]:
        """Where its files are, without a look at what is in them."""
        return [file["path"] for file in self._entries("files", "file", {"path": FILE["path"]}, only={"path"})]

    def absent(self) -> list[dict]:
        return self._entries("absent", "file to remove", ABSENT)

    def owner(self) -> dict[str, str]:
        return self.value("owner")

    def checks(self) -> list[dict]:
        return self._data.get("checks", [])


def _replicas(service: dict) -> list[dict]:
    """The first replica keeps the plain name, so that one more never renames what runs."""
    copies = []
    for number in range(1, service["replicas"] + 1):
        one = copy.deepcopy(service)
        one["replica_of"] = service["name"]
        if number > 1:
            one["name"] = f"{service['name']}-{number}"
        copies.append(one)
    return copies


def _plain(value: t.Any) -> t.Any:
    """Without the tags and lazy containers of Ansible; None inside a dictionary of an entry means: not set."""
    if isinstance(value, t.Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    for kind in (bool, int, float, str):
        if isinstance(value, kind):
            return kind(value)
    return value
