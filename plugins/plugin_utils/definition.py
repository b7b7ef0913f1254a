# SPDX-FileCopyrightText: 2026 The selfhosting.lago authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""What a container is: the options of an entry in a product's data, checked where they are used."""

from __future__ import annotations

import typing as t

from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible.module_utils.errors import UnsupportedError

OWNED = {
    "owner": {"type": "str"},
    "group": {"type": "str"},
    "mode": {"type": "str"},
}

SERVICE = {
    # Unit, container and default host name.
    "name": {"type": "str", "required": True},
    "kind": {"type": "str", "choices": ["service", "one-shot", "timer"], "default": "service"},
    # one-shot only: `gate` runs with the new image before anything that a running unit reads is changed, `swap` right
    # before the product's services restart, `after` once they are up, `manual` only when somebody starts it.
    "phase": {"type": "str", "choices": ["gate", "swap", "after", "manual"], "default": "manual"},
    # gate only: lines of its environment that are still those of a file that running units read.
    "borrows": {
        "type": "dict",
        "options": {
            "file": {"type": "path", "required": True},
            "names": {"type": "list", "elements": "str", "required": True},
        },
    },
    # one-shot only, for who watches: how a line begins that says that a part of the work is done (a regular
    # expression), and what such parts are called.
    "progress": {
        "type": "dict",
        "options": {
            "pattern": {"type": "str", "required": True},
            "parts": {"type": "str", "required": True},
        },
    },
    # one-shot only: the step runs again when one of these values, its command or its image changed.
    "inputs": {"type": "list", "elements": "str", "default": []},
    "description": {"type": "str", "required": True},
    "image": {"type": "str", "required": True},
    # Build the image on the server from this Dockerfile instead of pulling it.
    "dockerfile": {"type": "str"},
    # Build it there from a directory of a git repository.
    "source": {
        "type": "dict",
        "options": {
            "repository": {"type": "str", "required": True},
            # Branch, tag or commit.
            "version": {"type": "str", "required": True},
            # Where it is fetched to.
            "path": {"type": "path", "required": True},
            # The directory in it that holds the Dockerfile.
            "directory": {"type": "str", "required": True},
        },
    },
    "entrypoint": {"type": "str"},
    "command": {"type": "list", "elements": "str", "default": []},
    # Docker's own init as the first process: for a program that does not behave as one.
    "init": {"type": "bool", "default": False},
    "user": {"type": "str"},
    # Directory of the service's own files (environment, labels).
    "path": {"type": "path", "required": True},
    # Written to its own file; a variable that is None is left out.
    "environment": {"type": "dict", "default": {}},
    # Name of that file inside `path`.
    "environment_name": {"type": "str", "default": "env"},
    # Environment files shared with others, read before its own.
    "environment_files": {"type": "list", "elements": "path", "default": []},
    # Lines NAME=value as users write them; they win over `environment`.
    "environment_text": {"type": "str", "default": ""},
    "labels": {"type": "list", "elements": "str", "default": []},
    # Traefik: network, services, middlewares, routers; see templates/labels.j2.
    "routing": {"type": "dict"},
    # The first is where it lives; the others are connected before it starts.
    "networks": {"type": "list", "elements": "str", "required": True},
    # Host path or volume, path inside, read-only or not; `raw` is a whole --mount value.
    "mounts": {
        "type": "list",
        "elements": "dict",
        "default": [],
        "options": {
            "source": {"type": "str"},
            "target": {"type": "str"},
            "read_only": {"type": "bool", "default": True},
            "raw": {"type": "str"},
        },
        "required_one_of": [["source", "raw"]],
        "required_together": [["source", "target"]],
    },
    # Path inside to mount options.
    "tmpfs": {"type": "dict", "default": {}},
    "shared_memory": {"type": "str"},
    "ports": {"type": "list", "elements": "str", "default": []},
    "memory": {"type": "str"},
    "cpus": {"type": "str"},
    # A variable of the family `limits` in all entries of ours.
    "pids": {"type": "int", "default": 4096},
    "read_only": {"type": "bool", "default": True},
    "capabilities": {"type": "list", "elements": "str", "default": []},
    "extra_groups": {"type": "list", "elements": "str", "default": []},
    # Arguments of the container-ready program: see files/container-ready.py.
    "ready": {"type": "str"},
    # Seconds until a probe must have answered. Lago boots in 20 to 60 s on a small server.
    "ready_timeout": {"type": "int", "default": 180},
    # What takes work off a queue is told by a signal to take no more, and gets so many seconds to finish what it has
    # begun, before it is stopped: see files/container-quiet.py.
    "quiet": {
        "type": "dict",
        "options": {"signal": {"type": "str", "required": True}, "seconds": {"type": "int", "required": True}},
    },
    # Before it stops, those that need it and have `quiet` are stopped, and started once it is back: a job that meets a
    # database which is gone fails for good. See files/container-users.py.
    "users_first": {"type": "bool", "default": False},
    # With `users_first`: all others that need it are frozen while it restarts, so that no request finds it gone.
    "users_held": {"type": "bool", "default": False},
    # Command inside the container that prints what still waits for it and for nobody else; while it prints something,
    # a container that nothing asks for any more is not removed.
    "waiting": {"type": "list", "elements": "str", "default": []},
    # Of what is restarted together the highest is stopped first and started last.
    "stop_rank": {"type": "int", "default": 0},
    # Name of a one-shot step: only an image with which it has succeeded is started. See files/container-gated.py.
    "gate": {"type": "str"},
    # Of each of these minutes of the hour, in its own time zone, it lives through some part, also when it is restarted
    # together with others: then it is down for about so many seconds.
    "never_down": {
        "type": "dict",
        "options": {
            "minutes": {"type": "list", "elements": "int", "required": True},
            "seconds": {"type": "int", "required": True},
        },
    },
    # With its replicas behind a load balancer that follows Docker's health: it leaves before it stops, and one is
    # restarted after the other. See files/container-pool.py.
    "pool": {"type": "bool", "default": False},
    "stop_signal": {"type": "str"},
    # Seconds from the stop signal to SIGKILL.
    "stop_time": {"type": "int", "default": 30},
    # Exit codes of an orderly stop; 143 is SIGTERM.
    "success_exit_statuses": {"type": "list", "elements": "int", "default": [143]},
    # Commands on the server before the container is made and before it is stopped; `-` in front ignores a failure.
    "pre_start": {"type": "list", "elements": "str", "default": []},
    "pre_stop": {"type": "list", "elements": "str", "default": []},
    # Command line that removes an older container of the name; docker rm --force, tried again, where there is none.
    "cleanup": {"type": "str"},
    # Seconds for which that is tried, and between two tries: Docker may be busy removing it.
    "cleanup_timeout": {"type": "int", "default": 20},
    "cleanup_retry_delay": {"type": "int", "default": 1},
    # Restart it in every run.
    "restart_necessary": {"type": "bool", "default": False},
    "replicas": {"type": "int", "default": 1},
    # Raw words for `docker create`, as users write them.
    "extra_arguments": {"type": "list", "elements": "str", "default": []},
    # Units that it wants and starts after.
    "needs": {"type": "list", "elements": "str", "default": []},
    # One number a service, from mash_playbook's service manager: lower starts first.
    "priority": {"type": "int", "default": 1000},
    "groups": {"type": "list", "elements": "str", "default": []},
    # timer only: systemd calendar expression, and the spread.
    "on_calendar": {"type": "str"},
    "randomized_delay": {"type": "str"},
}

FILE = {
    "path": {"type": "path", "required": True},
    # One of: text as it is, a template of the role with its context, a file of the role, environment variables.
    "content": {"type": "str"},
    "template": {"type": "str"},
    # A file of the role's directory files, as it is.
    "source": {"type": "str"},
    "context": {"type": "dict", "default": {}},
    "variables": {"type": "dict"},
    "text": {"type": "str", "default": ""},
    **OWNED,
    "secret": {"type": "bool", "default": True},
    # Whether a container that mounts it has to be restarted when it changes.
    "restarts": {"type": "bool", "default": True},
    # Written before the gates run: no unit that runs or starts at boot reads it.
    "staged": {"type": "bool", "default": False},
}

DIRECTORY = {
    "path": {"type": "path", "required": True},
    **OWNED,
}

# A file that must not be there, and what the user is told about it.
ABSENT = {
    "path": {"type": "path", "required": True},
    "reason": {"type": "str", "required": True},
}

NETWORK = {
    "name": {"type": "str", "required": True},
    "internal": {"type": "bool", "default": False},
    "ipv6": {"type": "bool", "default": False},
    # Whether it goes when its product is switched off and nothing else is on it.
    "deletion": {"type": "bool", "default": True},
}


# A command on the server itself, for what is no container: a unit that runs to its end, and its timer.
PROGRAM = {
    "name": {"type": "str", "required": True},
    "kind": {"type": "str", "choices": ["one-shot", "timer"], "default": "one-shot"},
    "description": {"type": "str", "required": True},
    "command": {"type": "list", "elements": "str", "required": True},
    # Command that runs once it has ended, however it ended.
    "afterwards": {"type": "list", "elements": "str", "default": []},
    # Docker is started for it. A timer for which this is false cannot interrupt a stop of Docker.
    "requires_docker": {"type": "bool", "default": True},
    "needs": {"type": "list", "elements": "str", "default": []},
    "groups": {"type": "list", "elements": "str", "default": []},
    "on_calendar": {"type": "str"},
    "randomized_delay": {"type": "str"},
}

# What stays when the product is removed.
DATA = {
    # As people call it: "database", "invoices and logos".
    "name": {"type": "str", "required": True},
    "path": {"type": "path", "required": True},
    # Whether it goes when somebody asks for all data to be deleted.
    "delete": {"type": "bool", "default": True},
}


class DefinitionError(Exception):
    """An entry of a product's data is not one; all problems of it together."""


def validated(kind: str, specification: dict, entry: dict) -> dict[str, t.Any]:
    """The entry with defaults and types of its specification."""
    result = ArgumentSpecValidator(specification).validate(entry)
    if result.error_messages:
        name = entry.get("name") or entry.get("path") or "without a name"
        # Of what is unknown the message is the bare name.
        messages = [f"{'unknown: ' * isinstance(error, UnsupportedError)}{error.msg}" for error in result.errors]
        raise DefinitionError("\n".join(f"{kind} {name}: {message}" for message in messages))
    return result.validated_parameters
