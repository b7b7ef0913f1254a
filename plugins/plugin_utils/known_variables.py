# SPDX-FileCopyrightText: 2026 The selfhosting.lago authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""What a user sets and nothing reads: a name that is misspelled, that MASH gave up, or that is not carried here."""

from __future__ import annotations

import difflib
import glob
import os
import typing as t

from .checks import Problem
from .specification import COLLECTION, defaults_of, options_of, read_yaml

# Whoever sets a name that begins like this means one of ours.
OURS = (
    "lago_",
    "valkey_",
    "postgres_",
    "traefik_",
    "container_socket_proxy_",
    "mash_playbook_",
    "devture_systemd_docker_base_",
    "devture_systemd_service_manager_",
    "devture_timesync_",
    "devture_docker_sdk_for_python_",
    "devture_playbook_state_preserver_",
    # What some of these began with before MASH shortened them.
    "devture_postgres_",
    "devture_traefik_",
    "devture_container_socket_proxy_",
)
FORMER = "devture_"
# MASH's roles beside them that a vars.yml with Lago may configure; only the names that are listed are looked for.
OTHERS = ("exim_relay_", "backup_borg_", "aux_", "traefik_certs_dumper_")
# A name of the user's own that differs in a third of its letters is no slip of the pen.
LEAST_LIKENESS = 0.67
# What the description of a variable begins with that nothing reads.
WITHOUT_EFFECT = "Without effect: "


def roles() -> list[str]:
    return sorted(os.listdir(os.path.join(COLLECTION, "roles")))


def set_by_user(variables: t.Iterable[str], own: t.Collection[str]) -> list[str]:
    """The names that no role of this collection specifies, but that look like one that it would."""
    found = [name for name in variables if name.startswith((*OURS, *OTHERS)) and name not in own]
    if not found:
        return []
    known = set().union(*(options_of(role) for role in roles()))
    found = [name for name in found if name not in known]
    if found:
        facts = glob.glob(os.path.join(COLLECTION, "roles", "*", "vars", "**", "*.yml"), recursive=True)
        known = set().union(*(read_yaml(path) for path in facts))
    return sorted(name for name in found if name not in known)


def unknown_variables(variables: t.Iterable[str], own: t.Collection[str] = ()) -> tuple[list[Problem], list[str]]:
    """Problems to correct, and lines that say which of MASH's variables mean nothing here; `own` are the user's."""
    names = set_by_user(variables, own)
    if not names:
        return [], []
    mash = read_yaml(os.path.join(COLLECTION, "plugins", "plugin_utils", "mash_variables.yml"))
    problems, remarks = [], []
    for group in mash["not_carried"]:
        known = set(group["names"])
        found = [name for name in names if name in known]
        names = [name for name in names if name not in known]
        if found:
            remarks.append(f"{', '.join(found)}: no effect. {group['means']}")
    specified = sorted(set().union(*(options_of(role) for role in roles())))
    listed = {name for group in mash["not_carried"] for name in group["names"]}.union(specified)
    for name in names:
        if not name.startswith(OTHERS):
            problems.append(Problem(name, _answer(name, mash, specified, listed), source="name"))
    return problems, remarks


def _answer(name: str, mash: t.Mapping, specified: list[str], listed: set[str]) -> str:
    new = mash["renamed"].get(name)
    if name.removeprefix(FORMER) != name and name.removeprefix(FORMER) in listed:
        new = name.removeprefix(FORMER)
    if new:
        return f"is called {new} now. Rename it; the value stays as it is."
    if name in mash["removed"]:
        return f"does not exist any more. Remove the line. {mash['removed'][name]}"
    near = difflib.get_close_matches(name, specified, n=1, cutoff=LEAST_LIKENESS)
    suggestion = f"Did you mean {near[0]}? Correct the name or remove the line" if near else "Remove the line"
    return f"is unknown here and in MASH. {suggestion}; a variable of your own goes into mash_playbook_known_variables."


def without_effect(variables: t.Mapping) -> list[str]:
    """A line for each variable that is carried for MASH's sake only and that the user sets."""
    return [
        f"{name}: no effect. {option['description'].removeprefix(WITHOUT_EFFECT)}"
        for role in roles()
        for name, option in options_of(role).items()
        if option["description"].startswith(WITHOUT_EFFECT)
        and name in variables
        and variables[name] != defaults_of(role).get(name)
    ]
