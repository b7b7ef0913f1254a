# SPDX-FileCopyrightText: 2026 The selfhosting.lago authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""What the vendor's compose project becomes here: lines for vars.yml, and what stands in the way."""

from __future__ import annotations

import base64
import dataclasses
import json
import typing as t

from ..module_utils.compose import endpoint
from ..module_utils.takeover import newest, release_in, release_of
from .keys import KEYS, in_environment
from .kinds import hostname

PREFIX = "lago_api_environment_variable_"
# What a key's environment names stand for, and what has a variable of another name.
SECRETS = {variable: names for variable, names, _salt in KEYS.values()}
# Of the project's own places, of what is decided here, and of what nobody reads.
OURS = {
    *(name for names in SECRETS.values() for name in names),
    *("DATABASE_URL", "REDIS_URL", "REDIS_PASSWORD", "LAGO_REDIS_CACHE_URL", "LAGO_REDIS_CACHE_PASSWORD"),
    *("LAGO_REDIS_CABLE_URL", "LAGO_PDF_URL", "LAGO_API_URL", "LAGO_FRONT_URL", "LAGO_DOMAIN", "RAILS_ENV"),
    *("RAILS_LOG_TO_STDOUT", "RSA_PRIVATE_KEY", "CODEGEN_API", "LAGO_SIDEKIQ_WEB", "LAGO_DISABLE_SEGMENT"),
    *("LAGO_DISABLE_SIGNUP", "LAGO_OAUTH_PROXY_URL", "LAGO_CREATE_ORG", "LAGO_ORG_NAME", "LAGO_ORG_USER_EMAIL"),
    *("LAGO_ORG_USER_PASSWORD", "LAGO_ORG_API_KEY", "PATH", "HOME", "LANG", "LD_PRELOAD"),
}
# Settings that mean nothing while their switch is not "true"; the vendor's project has placeholders in them.
BELOW = {"LAGO_USE_AWS_S3": "LAGO_AWS_S3_", "LAGO_USE_GCS": "LAGO_GCS_"}
FLAG = "SIDEKIQ_"
# Rails' own reading of a boolean.
OFF = ("", "0", "f", "false", "off")
# Of a dump uncompressed, the restored database, and room for its indexes while they are made.
TIMES_DATABASE = 3


@dataclasses.dataclass
class Adoption:
    """`variables` are those of vars.yml, `passing` those of this run alone."""

    variables: dict[str, t.Any] = dataclasses.field(default_factory=dict)
    passing: dict[str, t.Any] = dataclasses.field(default_factory=dict)
    secret: set[str] = dataclasses.field(default_factory=set)
    problems: list[str] = dataclasses.field(default_factory=list)
    hints: list[str] = dataclasses.field(default_factory=list)

    def lines(self, masked: bool = True) -> list[str]:
        return [
            f"{name}: {'(a secret)' if masked and name in self.secret else as_yaml(value)}"
            for name, value in self.variables.items()
        ]

    def text(self, directory: str) -> str:
        """The file beside vars.yml."""
        head = [
            "---",
            f"# Adopted from the compose project in {directory}. Its secrets are in here: keep a copy in a safe place.",
            "# Ansible reads this file after vars.yml, so a line here wins over one there.",
        ]
        return "\n".join([*head, *self.lines(masked=False), ""])


def as_yaml(value: t.Any) -> str:
    """JSON is YAML; text of others' is no template."""
    text = json.dumps(value, ensure_ascii=False)
    return f"!unsafe {text}" if isinstance(value, str) and "{" in value else text


def adoption_of(project: t.Mapping, options: t.Mapping[str, t.Mapping], user: t.Mapping, kinds: t.Mapping) -> Adoption:
    """Everything; `options` are those of the role lago, `user` what vars.yml says, `kinds` the kinds of workers."""
    found = Adoption()
    found.problems = obstacles(project)
    if not project["processes"].get("api"):
        return found
    api = project["containers"][project["processes"]["api"][0]]
    environment = api["environment"]
    release(found, project, api)
    keys(found, project, environment)
    addresses(found, environment, user)
    settings(found, environment, options)
    # Organisation and users come with the database, whatever vars.yml has for a new installation.
    found.variables["lago_migrate_environment_variable_lago_create_org"] = False
    front(found, project)
    workers(found, project, environment, user, kinds)
    changed_since(found, project, environment)
    others(found, project)
    return found


def obstacles(project: t.Mapping) -> list[str]:
    """Why it cannot be adopted at all."""
    directory, record, processes = project["directory"], project["record"], project["processes"]
    if record and record["directory"] != directory:
        return [f"This server has adopted {record['directory']} already, which is another project than {directory}."]
    if not project["exists"]:
        return [f"There is no directory {directory} on the server. Name the one with the vendor's docker-compose.yml."]
    start = f"docker compose --project-directory {directory} up --detach"
    if not processes.get("api"):
        return [
            f"No container on the server was made from {directory} that runs Lago's API. Name the directory with the "
            f"project's docker-compose.yml, and start it first: {start}"
        ]
    problems = []
    if len(project["names"]) > 1:
        problems.append(f"{directory} has the projects {', '.join(project['names'])}: remove the containers of one.")
    if project["installed"] and not record:
        problems.append("Lago is installed here already, and its data would be replaced. Nothing is adopted over it.")
    environment = project["containers"][processes["api"][0]]["environment"]
    for process, name, what in (("postgres", "DATABASE_URL", "Postgres"), ("redis", "REDIS_URL", "Redis")):
        if process not in processes:
            host = endpoint(environment.get(name, ""))["hostname"] or "nothing"
            problems.append(
                f"{what}: {name} leads to {host}, which is no container of the project. What is elsewhere can stay "
                "there: install with its address in vars.yml (see docs/services/lago.md), without adopting."
            )
    down = [
        name
        for process in ("api", "postgres", "redis")
        for name in processes.get(process, [])
        if not project["containers"][name]["running"]
    ]
    if down and not record:
        problems.append(f"{', '.join(sorted(down))} does not run, so its data cannot be read. Start it first: {start}")
    need = project["postgres"].get("bytes", 0) * TIMES_DATABASE + project["storage"]["bytes"]
    if not record and project["free"] < need:
        problems.append(
            f"{megabytes(project['free'])} are free and moving needs {megabytes(need)}: three times the database, and "
            "the files once. What is moved stays in the project too."
        )
    return problems


def release(found: Adoption, project: t.Mapping, api: t.Mapping) -> None:
    """Moving is not upgrading: the release stays."""
    inside = release_in(f"{name}={value}" for name, value in api["image_environment"].items())
    version = newest(release_of(api["image"]), inside)
    if not version:
        found.problems.append(
            f"Which release {api['image']} is, neither its tag nor the image says. Use one with a tag."
        )
        return
    version = f"v{version.lstrip('v')}"
    found.passing["lago_version"] = version
    other = {
        name: container["image"]
        for process in ("worker", "clock", "front")
        for name in project["processes"].get(process, [])
        for container in [project["containers"][name]]
        if release_of(container["image"]) not in ("", version)
    }
    if other:
        listed = ", ".join(f"{name} ({image})" for name, image in sorted(other.items()))
        found.problems.append(f"The API is {version}, and others are not: {listed}. Bring them to one release first.")


def keys(found: Adoption, project: t.Mapping, environment: t.Mapping[str, str]) -> None:
    missing = []
    for key, (variable, names, _salt) in KEYS.items():
        value = in_environment(environment, key)
        if key == "rsa_private_key":
            # Lago takes the file before the variable, and its lines as one.
            pem = project["rsa_key"].strip()
            value = base64.b64encode(f"{pem}\n".encode()).decode() if pem else "".join(value.split())
        if not value:
            missing.append(names[0])
        found.variables[variable] = value
        found.secret.add(variable)
    if missing:
        found.problems.append(f"The API's container has no {', '.join(missing)}, and no key in its volume.")


def addresses(found: Adoption, environment: t.Mapping[str, str], user: t.Mapping) -> None:
    """The name under which it is reached, and the address that webhooks are signed with."""
    front, api = environment.get("LAGO_FRONT_URL", ""), environment.get("LAGO_API_URL", "")
    name = endpoint(front)["hostname"]
    given = str(user.get("lago_hostname") or "")
    if not given:
        if not (hostname(name) and "." in name) or name.replace(".", "").isdigit():
            found.problems.append(
                f"lago_hostname: the project calls itself {front or 'nothing'}, and here Lago needs a name of its "
                "own in DNS. Put it into vars.yml: lago_hostname: lago.example.com"
            )
            return
        given = name
    if given == name:
        # Also where it stands in vars.yml: an earlier try may have written it.
        found.variables["lago_hostname"] = name
    kept = api.startswith("https://") and endpoint(api)["hostname"] == given and endpoint(api)["port"] in (None, 443)
    if kept and endpoint(api)["path"].rstrip("/") in ("", "api"):
        found.variables[f"{PREFIX}lago_api_url"] = api.rstrip("/")
        return
    found.hints.append(
        f"The API's address was {api or 'not set'} and becomes https://{given}/api: tell it to clients, to payment "
        "providers that call webhooks, and to whoever checks `iss` of signed webhooks."
    )


def settings(found: Adoption, environment: t.Mapping[str, str], options: t.Mapping[str, t.Mapping]) -> None:
    """Variables of ours where there is one, all others as lines of text."""
    further = []
    switched_off = tuple(prefix for switch, prefix in BELOW.items() if environment.get(switch) != "true")
    for name, value in sorted(environment.items()):
        option = options.get(f"{PREFIX}{name.lower()}")
        if name in OURS or not value or name.startswith(switched_off) or (option is None and name.startswith(FLAG)):
            continue
        if option is None:
            if "\n" in value:
                found.problems.append(f"{name} has several lines, which no environment file can hold.")
            further.append(f"{name}={value}")
        elif (typed := as_option(value, option)) != option.get("default"):
            found.variables[f"{PREFIX}{name.lower()}"] = typed
            if option.get("no_log"):
                found.secret.add(f"{PREFIX}{name.lower()}")
    if further:
        found.variables["lago_api_environment_variables_additional_variables"] = "\n".join([*further, ""])
        # Nobody knows which of them are secrets.
        found.secret.add("lago_api_environment_variables_additional_variables")
        named = ", ".join(line.partition("=")[0] for line in further)
        found.hints.append(f"Taken over as they are: {named}")
    if environment.get("LAGO_DISABLE_SIGNUP"):
        found.variables["lago_front_environment_variable_lago_disable_signup"] = (
            environment["LAGO_DISABLE_SIGNUP"] == "true"
        )
    if environment.get("LAGO_SIDEKIQ_WEB") == "true":
        found.hints.append(
            "Sidekiq's pages, which had no password, are closed; lago_api_admin_sidekiq_enabled opens them."
        )


def front(found: Adoption, project: t.Mapping) -> None:
    """Only the front end has this one under the same name as the API."""
    for name in project["processes"].get("front", []):
        if value := project["containers"][name]["environment"].get("SENTRY_DSN"):
            found.variables["lago_front_environment_variable_sentry_dsn"] = value
            found.secret.add("lago_front_environment_variable_sentry_dsn")


def as_option(value: str, option: t.Mapping) -> t.Any:
    if option["type"] == "bool":
        return value.lower() not in OFF
    return int(value) if option["type"] == "int" and value.isdigit() else value


def workers(found: Adoption, project: t.Mapping, environment: t.Mapping, user: t.Mapping, kinds: t.Mapping) -> None:
    """Queues that have a worker of their own keep one: jobs wait in them."""
    wanted = [
        kind for kind, one in kinds.items() if one.get("flag") and environment.get(one["flag"], "").lower() not in OFF
    ]
    if not wanted:
        return
    ours = [{"kind": kind} for kind in wanted]
    if user.get("lago_workers", ours) != ours:
        found.hints.append(f"The project has workers for {', '.join(wanted)}; lago_workers in vars.yml counts.")
    else:
        found.variables["lago_workers"] = ours


def changed_since(found: Adoption, project: t.Mapping, environment: t.Mapping[str, str]) -> None:
    """What somebody wrote into .env and never brought up."""
    keys_of_lago = {name for names in SECRETS.values() for name in names}
    differing = sorted(
        name
        for name, value in project["environment_file"].items()
        # An empty one stands for a default of the project.
        if value and name in environment and "".join(value.split()) != "".join(environment[name].split())
    )
    up = f"docker compose --project-directory {project['directory']} up --detach"
    if changed := [name for name in differing if name in keys_of_lago]:
        found.problems.append(
            f"{project['directory']}/.env has other keys than the API's container runs with: {', '.join(changed)}. Put "
            f"the old ones back, which are in the container. Who means the new ones: {up}"
        )
    if changed := [name for name in differing if name not in keys_of_lago]:
        found.hints.append(
            f"{project['directory']}/.env has other values than the containers run with, which count here: "
            f"{', '.join(changed)}. To bring them up first: {up}"
        )


def others(found: Adoption, project: t.Mapping) -> None:
    """What is left where it is."""
    known = {name for names in project["processes"].values() for name in names}
    for name in project["processes"].get("consumer", []):
        found.problems.append(f"{name} reads events from Kafka, which this project does not carry.")
    for name, container in sorted(project["containers"].items()):
        if name not in known and not container["oneoff"]:
            found.hints.append(
                f"{name} ({container['image']}) is no part of Lago that is known here; it stays as it is."
            )


def megabytes(count: int) -> str:
    return f"{count / 1e6:.0f} MB"
