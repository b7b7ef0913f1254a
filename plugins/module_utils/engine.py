# SPDX-FileCopyrightText: 2026 The selfhosting.lago authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""What the modules ask of Docker and systemd on the server. Standard library only, Python 3.9 and newer."""

from __future__ import annotations

import hashlib
import hmac
import http.client
import json
import os
import re
import socket
import subprocess
from urllib.parse import quote

DOCKER_SOCKET = "/var/run/docker.sock"
UNIT_DIRECTORY = "/etc/systemd/system"
# Every unit that this collection writes names its product in this section; systemd ignores sections that begin with X-.
PRODUCT_SECTION = "[X-SelfHosting]"
RECORD = "inputs.sha256"
# Directory beside the engine's other files: what each product owns on the server.
CLAIMS = "claims"
# End of the reason why a unit is stale whose tag was pulled anew.
OTHER_IMAGE = " is another image now"
# Why a unit is stale that another playbook started.
UNKNOWN_START = "nothing on the server says what it was started with"
UNIT_PROPERTIES = (
    "Id",
    "LoadState",
    "ActiveState",
    "SubState",
    "UnitFileState",
    "NeedDaemonReload",
    "InvocationID",
    "Result",
    # Who names the unit.
    "WantedBy",
    "RequiredBy",
    "BoundBy",
)


# The unit's own mention of the engine's directory.
READY_PROGRAM = re.compile(r" -I (/\S*)/container-ready ")
# In a unit that stops those that need it first.
USERS_PROGRAM = "/container-users "


class EngineError(Exception):
    """Docker or systemd refused; the message is theirs."""


class _SocketConnection(http.client.HTTPConnection):
    def __init__(self, path):
        super().__init__("docker", timeout=30)
        self._path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


class Docker:
    """Questions go to the Engine API (no process each), changes through the docker command."""

    def __init__(self, path=DOCKER_SOCKET):
        self._path = path

    def get(self, path):
        """The decoded answer; None where there is no such object or no Docker.

        A systemd socket would start Docker for a mere question, so a stopped Docker is not asked:
        see :func:`docker_is_running`.
        """
        connection = _SocketConnection(self._path)
        try:
            connection.request("GET", path)
            response = connection.getresponse()
            body = response.read()
        except OSError:
            return None
        finally:
            connection.close()
        if response.status == 404:
            return None
        if response.status >= 400:
            said = body.decode(errors="replace").strip()
            raise EngineError(f"Docker answered {response.status} to GET {path}: {said}")
        return json.loads(body)

    def image_ids(self):
        """Every reference that the server has, with the id of its image."""
        found = {}
        for image in self.get("/images/json") or []:
            for reference in [*(image.get("RepoTags") or []), *(image.get("RepoDigests") or [])]:
                found[normal_reference(reference)] = image["Id"]
        return found

    def networks(self):
        return {network["Name"]: network for network in self.get("/networks") or []}

    def containers(self):
        """Every container by name: state, id of its image, its networks, and the places of the server that it takes."""
        found = {}
        for container in self.get("/containers/json?all=1") or []:
            published = [one for one in container.get("Ports") or [] if one.get("PublicPort")]
            ports = sorted({(one.get("IP") or "0.0.0.0", f"{one['PublicPort']}/{one['Type']}") for one in published})
            for name in container["Names"]:
                found[name.lstrip("/")] = {
                    "state": container["State"],
                    "image_id": container["ImageID"],
                    "networks": sorted((container.get("NetworkSettings") or {}).get("Networks") or {}),
                    "ports": ports,
                }
        return found

    def aliases(self, names):
        """Other names under which networks know containers: alias to networks."""
        found = {}
        for name in names:
            networks = (self.container(name) or {}).get("NetworkSettings", {}).get("Networks") or {}
            for network, endpoint in networks.items():
                for alias in endpoint.get("Aliases") or []:
                    found.setdefault(alias, []).append(network)
        return found

    def container(self, name):
        return self.get(f"/containers/{quote(name)}/json")


def docker_is_running():
    return bool(run(["systemctl", "is-active", "docker.service"], check=False).stdout.strip() == "active")


def normal_reference(reference):
    """A reference as Docker lists it: without default registry and library namespace, with a tag or a digest.

    Where both are given, the digest alone decides.
    """
    name, at, digest = reference.partition("@")
    for prefix in ("docker.io/", "index.docker.io/"):
        if name.startswith(prefix):
            name = name[len(prefix) :]
    if name.startswith("library/"):
        name = name[len("library/") :]
    registry, slash, last = name.rpartition("/")
    base, colon, tag = last.partition(":")
    if at:
        return f"{registry}{slash}{base}@{digest}"
    return f"{registry}{slash}{base}:{tag if colon else 'latest'}"


def run(command, check=True, timeout=None, stdin=None):
    """Run a command without a shell; C locale, so that what it says can be read."""
    environment = dict(os.environ, LC_ALL="C")
    done = subprocess.run(
        command, capture_output=True, text=True, errors="replace", timeout=timeout, input=stdin, env=environment
    )
    if check and done.returncode:
        raise EngineError(
            f"{' '.join(command[:3])} ... ended with {done.returncode}: {(done.stderr or done.stdout).strip()}"
        )
    return done


def show_units(names):
    """`systemctl show` of many units in one call: name to properties."""
    if not names:
        return {}
    output = run(["systemctl", "show", "--property=" + ",".join(UNIT_PROPERTIES), "--", *names], check=False).stdout
    blocks = [dict(line.split("=", 1) for line in block.splitlines() if "=" in line) for block in output.split("\n\n")]
    # The blocks come in the order asked; Id can be another name of the same unit.
    return dict(zip(names, [block for block in blocks if block]))


def journal(unit, lines=20, invocation=None):
    """The last lines of a unit's journal, of one invocation where that is known."""
    match = [f"_SYSTEMD_INVOCATION_ID={invocation}"] if invocation else ["--unit", unit]
    done = run(["journalctl", "--no-pager", "--output=cat", "--lines", str(lines), *match], check=False)
    return [line for line in done.stdout.splitlines() if line.strip()]


def keyed_digest(key, content):
    """A checksum that says nothing about the content to who lacks the key: results are printed at high verbosity."""
    return hmac.new(key.encode(), content, hashlib.sha256).hexdigest()


def database_system(data_path):
    """Which Postgres database it is: initdb writes a number of its own at the beginning of pg_control."""
    try:
        with open(os.path.join(data_path or "/nonexistent", "global", "pg_control"), "rb") as file:
            return file.read(8).hex()
    except OSError:
        return ""


def sha256(path):
    try:
        with open(path, "rb") as file:
            return hashlib.sha256(file.read()).hexdigest()
    except OSError:
        return None


def managed_unit(name):
    """What this collection wrote into a unit about it; nothing where the unit is none of ours."""
    try:
        with open(os.path.join(UNIT_DIRECTORY, name), encoding="utf-8", errors="replace") as file:
            text = file.read()
    except OSError:
        return {}
    _before, section, rest = text.partition(PRODUCT_SECTION)
    if not section:
        return {}
    values = dict(line.split("=", 1) for line in rest.splitlines() if "=" in line)
    found = {"product": values.get("Product", ""), "image": values.get("Image", "")}
    program = READY_PROGRAM.search(text)
    if program:
        found["engine_path"] = program.group(1)
    if USERS_PROGRAM in text:
        found["users_first"] = True
    for key in ("Quiet", "Gate"):
        if key in values:
            found[key.lower()] = values[key]
    if "Waiting" in values:
        found["waiting"] = json.loads(values["Waiting"])
    return found


def managed_units():
    """The units that this collection wrote, with what it wrote about each."""
    try:
        names = sorted(os.listdir(UNIT_DIRECTORY))
    except FileNotFoundError:
        return {}
    units = {name: managed_unit(name) for name in names if name.endswith((".service", ".timer"))}
    return {name: unit for name, unit in units.items() if unit}


def unit_states(units, docker):
    """What systemd says of each unit, and why what runs differs from what is installed.

    `units` maps the unit's name to a dictionary with the reference of its image. A unit records the checksums of
    the files that its container is made from (unit, environment, labels, mounted configuration) before it makes the
    container; what differs from this record, or from the image that the reference names now, is stale.
    """
    shown = show_units(sorted(units))
    containers = docker.containers()
    images = docker.image_ids()
    states = {}
    for name, properties in shown.items():
        state = {
            "active": properties.get("ActiveState") == "active",
            "state": "/".join(filter(None, (properties.get("ActiveState"), properties.get("SubState")))),
            "enabled": properties.get("UnitFileState") == "enabled",
            "loaded": properties.get("LoadState") == "loaded",
            "needs_reload": properties.get("NeedDaemonReload") == "yes",
            "invocation": properties.get("InvocationID", ""),
            "result": properties.get("Result", ""),
            "needed_by": _needed_by(properties),
            "stale": [],
            "awaits_gate": False,
            # To join this start would bring up what was there before.
            "overtaken": bool(_starting(properties) and _changed(name, properties)),
        }
        reference = units[name].get("image")
        if state["active"] and reference:
            state["stale"] = _stale(name, properties, reference, containers, images)
            state["awaits_gate"] = _awaits_gate(name, reference, images)
            if is_quiet(name, docker):
                state["stale"].append("somebody told it to take no more jobs")
        states[name] = state
    return states


def is_quiet(name, docker):
    """Whether a worker runs that takes no jobs any more: Sidekiq says so in the title of its process."""
    if not managed_unit(name).get("quiet"):
        return False
    container = docker.container(name.rsplit(".", 1)[0]) or {}
    try:
        with open(f"/proc/{container.get('State', {}).get('Pid') or 'none'}/cmdline", "rb") as file:
            title = file.read().replace(b"\0", b" ").strip()
    except OSError:
        return False
    return title.startswith(b"sidekiq ") and title.endswith(b"] stopping")


def _needed_by(properties):
    named = {unit for name in ("WantedBy", "RequiredBy", "BoundBy") for unit in properties.get(name, "").split()}
    return sorted(unit for unit in named if unit != "docker.service" and not unit.endswith(".target"))


def claims(engine_paths):
    """The records of what products own on the server: identifier to record."""
    found = {}
    for engine_path in sorted(engine_paths):
        found.update(json_files(os.path.join(engine_path, CLAIMS)))
    return found


def json_files(directory):
    """Name without .json to content, of those in the directory that can be read."""
    found = {}
    try:
        names = os.listdir(directory)
    except OSError:
        return found
    for name in names:
        if name.endswith(".json"):
            try:
                with open(os.path.join(directory, name), encoding="utf-8") as file:
                    found[name[: -len(".json")]] = json.load(file)
            except (OSError, ValueError):
                continue
    return found


def _starting(properties):
    """A process of the start is under way; systemd's pause before the next one has none."""
    return properties.get("ActiveState") == "activating" and properties.get("SubState") != "auto-restart"


def _recorded(name):
    """Path to checksum of the files that the container was made from; None where nothing says it."""
    try:
        with open(f"/run/{name.rsplit('.', 1)[0]}/{RECORD}", encoding="utf-8") as file:
            lines = [line.split(None, 1) for line in file.read().splitlines()]
    except OSError:
        return None
    return {path.strip(): checksum for checksum, path in lines}


def _changed(name, properties):
    """Which of these files are others now, and the unit's own where systemd has not read it again."""
    reasons = ["its unit file changed on disk"] if properties.get("NeedDaemonReload") == "yes" else []
    for path, checksum in (_recorded(name) or {}).items():
        now = sha256(path)
        if now is None:
            reasons.append(f"{path} is gone")
        elif now != checksum:
            reasons.append(f"{path} changed")
    return reasons


def _stale(name, properties, reference, containers, images):
    reasons = _changed(name, properties)
    if _recorded(name) is None:
        return [*reasons, UNKNOWN_START]
    container = containers.get(name.rsplit(".", 1)[0])
    if container is None:
        reasons.append("its container is gone")
    else:
        wanted = images.get(normal_reference(reference))
        if wanted and container["image_id"] != wanted:
            reasons.append(f"{reference}{OTHER_IMAGE}")
    return reasons


def _awaits_gate(name, reference, images):
    """Whether a restart would bring back the image before: the step in front of the present one has not succeeded."""
    path = managed_unit(name).get("gate")
    if not path:
        return False
    directory, file = os.path.split(path)
    record = json_files(directory).get(file[: -len(".json")], {})
    return record.get("image") == reference and record.get("image_id") != images.get(normal_reference(reference))
