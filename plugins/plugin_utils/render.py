# SPDX-FileCopyrightText: 2026 The selfhosting.lago authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""From entries to files: environment, labels, configuration and units, through visible templates."""

from __future__ import annotations

import functools
import json
import os
import re
import typing as t

import jinja2

from .definition import DefinitionError
from .text import double_quoted, sql_identifier, sql_literal, yaml_with

HERE = os.path.dirname(os.path.abspath(__file__))
UNIT_DIRECTORY = "/etc/systemd/system"
DOCKER = "/usr/bin/docker"
# Inside a container of a pool: while it is there, Docker calls the container healthy.
POOL_FILE = "/tmp/.in-pool"
# Limit of files/container-pool.py.
POOL_SECONDS = 65
# For workers that are stopped first: longer than a user gives their jobs, and Lago's longest queue has none that long.
USERS_SECONDS = 600
# Docker freezes a container within a moment.
HOLD_SECONDS = 15
# Characters that neither systemd nor a shell reads anything into.
PLAIN_WORD = re.compile(r"^[A-Za-z0-9_@:,./=+-]+$")


def systemd_word(word: str) -> str:
    """One word of an Exec line, quoted where needed (man 5 systemd.service, COMMAND LINES)."""
    word = str(word)
    if "\n" in word:
        raise DefinitionError(f"a command line cannot hold a line break: {word!r}")
    escaped = word.replace("%", "%%").replace("$", "$$")
    if PLAIN_WORD.match(word):
        return escaped
    return '"' + escaped.replace("\\", "\\\\").replace('"', '\\"') + '"'


@functools.cache
def environment(directory: str) -> jinja2.Environment:
    """Plain Jinja2: what users wrote is data here and never templated a second time."""
    templates = jinja2.Environment(
        loader=jinja2.FileSystemLoader(directory),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,
    )
    templates.filters.update(
        double_quoted=double_quoted, sql_identifier=sql_identifier, sql_literal=sql_literal, yaml_with=yaml_with
    )
    return templates


def render(directory: str, template: str, **context: t.Any) -> str:
    return environment(directory).get_template(template).render(**context)


def environment_value(name: str, value: t.Any) -> str:
    """As Docker's --env-file reads it: no quotes, no line breaks; booleans as Lago reads them, in lower case."""
    if isinstance(value, bool):
        return "true" if value else "false"
    value = str(value)
    if "\n" in value or "\r" in value:
        raise DefinitionError(f"{name}: an environment file cannot hold a line break")
    return value


def environment_lines(variables: t.Mapping, text: str = "") -> dict[str, str]:
    """Variables that are set, overlaid with the user's own lines NAME=value; what is None is left out."""
    lines = {name: environment_value(name, value) for name, value in variables.items() if value is not None}
    for line in text.splitlines():
        line = line.strip()
        if not line or line.startswith("#"):
            continue
        name, equals, value = line.partition("=")
        if not equals or not re.match(r"^[A-Za-z_][A-Za-z0-9_]*$", name):
            raise DefinitionError(f"additional environment variables: expected NAME=value, saw {name[:40]!r}")
        lines[name] = value
    return lines


class Renderer:
    """Files of one product."""

    def __init__(self, product: str, owner: dict, templates: str, engine_path: str):
        self.product = product
        self.owner = owner
        self.templates = templates
        self.engine_path = engine_path
        self.engine_templates = os.path.join(HERE, "templates")

    def programs(self, services: t.Iterable[dict]) -> list[dict]:
        """What the units run besides Docker, only what one of them needs; and what these programs have in common."""
        names = ["container-ready"]
        names += ["container-quiet"] if any(service["quiet"] for service in services) else []
        names += ["container-users"] if any(service["users_first"] for service in services) else []
        names += ["container-gated"] if any(service["gate"] for service in services) else []
        names += ["container-pool"] if any(service["pool"] for service in services) else []
        return [self._engine_file("container_docker.py", "0644"), *(self._engine_file(name, "0755") for name in names)]

    def _engine_file(self, name: str, mode: str) -> dict:
        with open(os.path.join(HERE, "files", name.removesuffix(".py") + ".py"), encoding="utf-8") as file:
            content = file.read()
        return self._file(f"{self.engine_path}/{name}", content, owner="root", group="root", mode=mode, secret=False)

    def _file(self, path: str, content: str, **options: t.Any) -> dict:
        file = {"path": path, "content": content, "mode": "0640", "secret": True, **self.owner}
        file.update({key: value for key, value in options.items() if value is not None})
        return file

    def plain_file(self, entry: dict) -> dict:
        if entry["variables"] is not None:
            content = render(
                self.engine_templates,
                "environment.j2",
                variables=environment_lines(entry["variables"], entry["text"]),
            )
        elif entry["template"]:
            content = render(self.templates, entry["template"], **entry["context"])
        elif entry["source"]:
            with open(
                os.path.join(os.path.dirname(self.templates), "files", entry["source"]), encoding="utf-8"
            ) as file:
                content = file.read()
        else:
            content = entry["content"] or ""
        options = {key: entry[key] for key in ("owner", "group", "mode", "secret")}
        return self._file(entry["path"], content, **options)

    def service_files(self, service: dict, files: list[dict]) -> list[dict]:
        """Environment, labels, unit (and timer) of one container."""
        name = service["name"]
        made = []
        environment_files = list(service["environment_files"])
        own = environment_lines(service["environment"], service["environment_text"])
        if own:
            path = f"{service['path']}/{service['environment_name']}"
            made.append(self._file(path, render(self.engine_templates, "environment.j2", variables=own)))
            environment_files.append(path)
        label_path = None
        if service["labels"] or service["routing"]:
            label_path = f"{service['path']}/labels"
            content = render(self.engine_templates, "labels.j2", labels=service["labels"], routing=service["routing"])
            made.append(self._file(label_path, content))
        unit_path = f"{UNIT_DIRECTORY}/{name}.service"
        inputs = [unit_path, *environment_files, *([label_path] if label_path else []), *_mounted(service, files)]
        unit = render(
            self.engine_templates,
            "unit.service.j2",
            **{
                key: service[key]
                for key in (
                    "name",
                    "kind",
                    "image",
                    "pre_start",
                    "pre_stop",
                    "quiet",
                    "users_first",
                    "users_held",
                    "pool",
                    "stop_time",
                    "ready",
                    "ready_timeout",
                    "success_exit_statuses",
                )
            },
            product=self.product,
            description=service["description"].replace("%", "%%"),
            docker=DOCKER,
            requires_docker=True,
            cleanup=service["cleanup"] or removal(service),
            networks=_unique(service["networks"]),
            needs=_unique(_unit_name(unit) for unit in service["needs"] if _unit_name(unit) != "docker.service"),
            inputs=inputs,
            arguments=create_arguments(service, environment_files, label_path),
            engine_path=self.engine_path,
            gate=f"{self.engine_path}/records/{service['gate']}.json" if service["gate"] else "",
            pool_file=POOL_FILE,
            pool_seconds=POOL_SECONDS if service["pool"] else 0,
            users_seconds=USERS_SECONDS,
            hold_seconds=HOLD_SECONDS,
            stop_limit=stop_limit(service),
            waiting=json.dumps(service["waiting"]) if service["waiting"] else "",
        )
        made.append(self._unit(unit_path, unit))
        return made + self._timer(service)

    def program_files(self, program: dict) -> list[dict]:
        """Unit (and timer) of one command on the server."""
        unit = render(
            self.engine_templates,
            "program.service.j2",
            product=self.product,
            name=program["name"],
            description=program["description"].replace("%", "%%"),
            command=[systemd_word(word) for word in program["command"]],
            afterwards=[systemd_word(word) for word in program["afterwards"]],
            requires_docker=program["requires_docker"],
            needs=_unique(_unit_name(unit) for unit in program["needs"]),
        )
        return [self._unit(f"{UNIT_DIRECTORY}/{program['name']}.service", unit), *self._timer(program)]

    def _timer(self, entry: dict) -> list[dict]:
        if entry["kind"] != "timer":
            return []
        timer = render(
            self.engine_templates,
            "unit.timer.j2",
            product=self.product,
            description=entry["description"].replace("%", "%%"),
            **{key: entry[key] for key in ("name", "on_calendar", "randomized_delay")},
        )
        return [self._unit(f"{UNIT_DIRECTORY}/{entry['name']}.timer", timer)]

    def _unit(self, path: str, content: str) -> dict:
        return {"path": path, "content": content, "mode": "0644", "owner": "root", "group": "root", "secret": False}


def stop_limit(service: dict) -> int:
    """Seconds that systemd gives a stop: all that happens in it, and time for Docker and what `pre_stop` does."""
    quiet = service["quiet"]["seconds"] if service["quiet"] else 0
    before = (POOL_SECONDS if service["pool"] else 0) + (USERS_SECONDS if service["users_first"] else 0)
    before += 2 * HOLD_SECONDS if service["users_held"] else 0
    return quiet + before + service["stop_time"] + 30


def removal(service: dict) -> str:
    """The command line that removes an older container; Docker 20.10 calls it a fault where there is none."""
    name = service["name"]
    return (
        f"/usr/bin/timeout {service['cleanup_timeout']} /bin/sh -c 'until {DOCKER} rm --force {name} "
        f"|| ! {DOCKER} container inspect {name} >/dev/null 2>&1; do sleep {service['cleanup_retry_delay']}; done'"
    )


def create_arguments(service: dict, environment_files: list[str], label_path: str | None) -> list[str]:
    """The lines of `docker create`, each one word or what the user wrote as it is."""
    words = [f"--name={service['name']}", "--pull=never", "--log-driver=none"]
    options = {
        "--user": service["user"],
        "--entrypoint": service["entrypoint"],
        "--shm-size": service["shared_memory"],
        "--memory": service["memory"],
        "--cpus": service["cpus"],
        "--stop-signal": service["stop_signal"],
    }
    words += [f"{option}={value}" for option, value in options.items() if value]
    words += [f"--pids-limit={service['pids']}", f"--stop-timeout={service['stop_time']}"]
    if service["init"]:
        words.append("--init")
    if service["pool"]:
        # Slow is not unwell: a server with much to do would lose all replicas at once.
        words += [f"--health-cmd=test -e {POOL_FILE}", "--health-interval=5s", "--health-timeout=60s"]
        words.append("--health-retries=1")
    if service["read_only"]:
        words.append("--read-only")
    words += ["--cap-drop=ALL", *(f"--cap-add={capability}" for capability in service["capabilities"])]
    words.append("--security-opt=no-new-privileges")
    words += [f"--group-add={group}" for group in service["extra_groups"]]
    words.append(f"--network={service['networks'][0]}")
    words += [f"--publish={port}" for port in service["ports"]]
    words += [f"--env-file={path}" for path in environment_files]
    if label_path:
        words.append(f"--label-file={label_path}")
    words += [f"--mount={mount_value(mount)}" for mount in service["mounts"]]
    words += [f"--tmpfs={path}:{options}" for path, options in service["tmpfs"].items()]
    lines = [systemd_word(word) for word in words]
    lines += service["extra_arguments"]
    lines.append(systemd_word(service["image"]))
    lines += [systemd_word(word) for word in service["command"]]
    return lines


def mount_value(mount: dict) -> str:
    if mount["raw"]:
        return mount["raw"]
    kind = "bind" if mount["source"].startswith("/") else "volume"
    value = f"type={kind},source={mount['source']},target={mount['target']}"
    return value + (",readonly" if mount["read_only"] else "")


def _mounted(service: dict, files: list[dict]) -> list[str]:
    """Configuration files that the container sees and that it reads only when it starts."""
    sources = [mount["source"] for mount in service["mounts"] if mount["source"]]
    return [
        file["path"]
        for file in files
        if file["restarts"]
        and any(file["path"] == source or file["path"].startswith(source + "/") for source in sources)
    ]


def _unit_name(name: str) -> str:
    return name if "." in name.rsplit("/", 1)[-1] else f"{name}.service"


def _unique(names: t.Iterable[str]) -> list[str]:
    return list(dict.fromkeys(names))
