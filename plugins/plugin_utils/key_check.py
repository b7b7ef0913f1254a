# SPDX-FileCopyrightText: 2026 The selfhosting.lago authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Whether what Lago has encrypted and signed on a server stays readable and valid with the keys of vars.yml."""

from __future__ import annotations

import typing as t

from ..module_utils.engine import keyed_digest
from .keys import ENCRYPTION, KEYS, in_environment, is_weak, lines_for, older_secret, told, verdict
from .render import environment_lines

# Names of the keys to values.
Keys = dict[str, str]
# For each table its rows, and how many of them each set of keys can read.
Tables = t.Mapping[str, t.Mapping[str, int]]


class NotTried(Exception):
    """Nobody can tell what the keys decrypt; why, and what to do."""


def key_problems(
    lago: t.Any, live: t.Mapping[str, str], try_keys: t.Callable[[dict[str, Keys], str], Tables]
) -> tuple[list[str], list[str]]:
    """Problems and warnings; `live` are keyed digests of the environment that Lago runs with."""
    replace = set(lago.variable("lago_keys_to_replace"))
    environment = environment_lines(
        lago.variable("lago_api_environment"), lago.variable("lago_api_environment_variables_additional_variables")
    )
    digest_key, generic = lago.evaluate("selfhosting_digest_key"), lago.variable("mash_playbook_generic_secret_key")
    values = {name: in_environment(environment, name) for name in KEYS}
    older = {name: older_secret(generic, salt) for name, (_variable, _names, salt) in KEYS.items() if salt}

    def same(keys: Keys) -> set[str]:
        """Names of the keys that are those of the server's environment."""
        found = {name: in_environment(live, name) for name in KEYS}
        return {name for name, value in keys.items() if found[name] == keyed_digest(digest_key, value.encode())}

    changed = KEYS.keys() - same(values) - replace
    is_older, path = same(older), lago.evaluate("lago_api_base_path ~ '/env'")
    problems, warnings = [], []
    if not replace >= set(ENCRYPTION):
        try:
            tried = try_keys({"configured": values, "older": older}, path)
        except NotTried as error:
            return [str(error)], []
        source = verdict(tried, changed, is_older >= set(ENCRYPTION))
        if source:
            problems.append(_wrong_keys(tried, ["live", "older"] if source == "mixed" else [source], path))
        elif any(counts["rows"] for counts in tried.values()):
            warnings = [_weak(KEYS[name][0]) for name in ENCRYPTION if is_weak(values[name])]
    signing = [name for name in ("secret_key_base", "rsa_private_key") if name in changed]
    if signing:
        lines = [
            "Lago signs with other keys on the server than those of vars.yml; links, sessions and signed webhooks "
            "would become invalid. Put these lines into vars.yml, or the keys into lago_keys_to_replace:"
        ]
        for name in signing:
            lines += _indented(lines_for("older" if name in is_older else "live", [name], path))
        problems.append("\n".join(lines))
    return problems, warnings


def _wrong_keys(tried: Tables, sources: list[str], path: str) -> str:
    lines = ["Lago's stored credentials need other encryption keys than those of vars.yml:", *told(tried)]
    if len(sources) > 1:
        lines.append("No set of keys reads all of them. Choose one; enter the others' credentials anew in Lago.")
    for source in sources:
        where = "with MASH's older derivation" if source == "older" else "as on the server"
        lines += [f"Lines for vars.yml, {where}:", *_indented(lines_for(source, ENCRYPTION, path))]
    return "\n".join(lines)


def _weak(variable: str) -> str:
    return (
        f"{variable} is short or a placeholder: who has a copy of the database can read the payment providers' "
        "credentials in it. It stays as it is, because what it encrypted could not be read without it."
    )


def _indented(lines: t.Iterable[str]) -> list[str]:
    return [f"    {line}" for line in lines]
