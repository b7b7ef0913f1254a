#!/usr/bin/python
# SPDX-FileCopyrightText: 2026 The selfhosting.lago authors
# SPDX-License-Identifier: AGPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: server_images
short_description: Pull or build the images that a server lacks
description:
  - Starts what is missing in the background and returns after C(patience) seconds with what is done so far, so that
    the caller can show progress and call again until C(pending) is empty.
  - An image that the server has is never pulled again.
  - An image that does not exist fails at once; a fault of the network is tried again.
options:
  images:
    description: The images wanted.
    type: list
    elements: dict
    required: true
    suboptions:
      reference: {description: What to pull, or the name of what is built., type: str, required: true}
      dockerfile: {description: Build it from this Dockerfile instead of pulling it., type: str}
      source:
        description: Build it from a directory of a git repository instead. The server needs git for that.
        type: dict
        suboptions:
          repository: {description: Address of the repository., type: str, required: true}
          version: {description: "Branch, tag or commit.", type: str, required: true}
          path: {description: Where it is fetched to., type: path, required: true}
          directory: {description: The directory in it that holds the Dockerfile., type: str, required: true}
  patience:
    description: Seconds to wait for before returning.
    type: int
    default: 10
  parallel:
    description: How many are pulled at the same time.
    type: int
    default: 3
extends_documentation_fragment: [selfhosting.lago.lease]
author: The selfhosting.lago authors
"""

EXAMPLES = r"""
- name: Pull
  selfhosting.lago.server_images:
    images:
      - reference: docker.io/getlago/api:v1.52.1
"""

RETURN = r"""
done:
  description: References that the server has now and had not before the first call.
  returned: always
  type: list
pending:
  description: References still being pulled or built, each with the last line that Docker said.
  returned: always
  type: dict
"""

import hashlib
import os
import subprocess
import time

from ansible_collections.selfhosting.lago.plugins.module_utils.engine import Docker, normal_reference
from ansible_collections.selfhosting.lago.plugins.module_utils.lease import LeasedModule

WORK_DIRECTORY = "/run/selfhosting-lago-images"
TRIES = 4
# A build that fails twice does not fail for the network.
BUILD_TRIES = 2
# What registries and Docker answer when there is nothing to wait for: no such repository, no such tag, no access.
FINAL = (
    "manifest unknown",
    "not found",
    "repository does not exist",
    "access denied",
    "unauthorized",
    "invalid reference",
    "there is no git",
)


# The working copy is made by the first build and brought to the version wanted by each.
BUILD_FROM_SOURCE = """set -e
command -v git >/dev/null || { echo "there is no git on the server: apt-get install git"; exit 1; }
git init --quiet "$3"
git -C "$3" fetch --quiet --depth=1 "$4" "$5"
git -C "$3" checkout --quiet --force FETCH_HEAD
docker build --tag "$1" "$3/$6"
"""

STATES = ("done", "running", "waiting", "idle")


class Job:
    """One pull or build: a shell of its own that survives this call, its output and its exit status in files."""

    def __init__(self, image):
        self.image = image
        self.reference = image["reference"]
        self.base = os.path.join(WORK_DIRECTORY, hashlib.sha256(self.reference.encode()).hexdigest()[:16])

    @property
    def built(self):
        return bool(self.image.get("dockerfile") or self.image.get("source"))

    def path(self, suffix):
        return f"{self.base}.{suffix}"

    def read(self, suffix):
        try:
            with open(self.path(suffix), encoding="utf-8", errors="replace") as file:
                return file.read()
        except FileNotFoundError:
            return None

    def running(self):
        pid = self.read("pid")
        if not pid:
            return False
        try:
            with open(f"/proc/{int(pid)}/cmdline", encoding="utf-8", errors="replace") as file:
                command = file.read()
            if command:
                return self.base in command
            # Empty for an instant while a program starts another one, and for one that has ended.
            with open(f"/proc/{int(pid)}/stat", encoding="utf-8", errors="replace") as file:
                return file.read().rpartition(")")[2].split()[0] not in ("Z", "X")
        except (OSError, ValueError):
            return False

    def start(self):
        tries = int(self.read("tries") or 0) + 1
        self.write("tries", str(tries))
        for suffix in ("status", "out"):
            if os.path.exists(self.path(suffix)):
                os.unlink(self.path(suffix))
        arguments = []
        if self.image.get("source"):
            source = self.image["source"]
            arguments = [source[key] for key in ("path", "repository", "version", "directory")]
            work = BUILD_FROM_SOURCE
        elif self.image.get("dockerfile"):
            self.write("dockerfile", self.image["dockerfile"])
            work = 'docker build --tag "$1" - <"$2.dockerfile"'
        else:
            work = 'docker pull "$1"'
        script = f'({work}) >"$2.out" 2>&1; echo $? >"$2.part"; mv "$2.part" "$2.status"'
        process = subprocess.Popen(
            ["/bin/sh", "-c", script, "sh", self.reference, self.base, *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
            env=dict(os.environ, LC_ALL="C", DOCKER_BUILDKIT="0"),
        )
        self.write("pid", str(process.pid))

    def write(self, suffix, text):
        with open(self.path(suffix), "w", encoding="utf-8") as file:
            file.write(text)

    def last_line(self):
        lines = [line.strip() for line in (self.read("out") or "").splitlines() if line.strip()]
        return lines[-1] if lines else ""

    def clean(self):
        for suffix in ("pid", "tries", "status", "out", "dockerfile"):
            if os.path.exists(self.path(suffix)):
                os.unlink(self.path(suffix))


def settle(job, docker):
    """'done', 'running', 'waiting', 'idle' or the reason why there is no use in another try."""
    if job.running():
        return "running"
    status = job.read("status")
    if status is None:
        return "idle"
    if status.strip() == "0" and normal_reference(job.reference) in docker.image_ids():
        job.clean()
        return "done"
    said = (job.read("out") or "").strip()
    tries = int(job.read("tries") or 1)
    allowed = BUILD_TRIES if job.built else TRIES
    if any(text in said.lower() for text in FINAL) or tries >= allowed:
        lines = "\n".join(said.splitlines()[-20:])
        job.clean()
        verb = "built" if job.built else "pulled"
        return f"{job.reference} cannot be {verb} (tried {tries}x). Docker says: {lines}"
    # A registry or a line that is down needs some time: 2, 4 and 8 s before the second, third and fourth try.
    return "waiting" if time.time() < os.path.getmtime(job.path("status")) + 2**tries else "idle"


def main():
    module = LeasedModule(
        argument_spec={
            "images": {
                "type": "list",
                "elements": "dict",
                "required": True,
                "options": {
                    "reference": {"type": "str", "required": True},
                    "dockerfile": {"type": "str"},
                    "source": {
                        "type": "dict",
                        "options": {
                            "repository": {"type": "str", "required": True},
                            "version": {"type": "str", "required": True},
                            "path": {"type": "path", "required": True},
                            "directory": {"type": "str", "required": True},
                        },
                    },
                },
            },
            "patience": {"type": "int", "default": 10},
            "parallel": {"type": "int", "default": 3},
        },
        supports_check_mode=True,
    )
    docker = Docker()
    there = docker.image_ids()
    jobs = [Job(image) for image in module.params["images"] if normal_reference(image["reference"]) not in there]
    if module.check_mode or not jobs:
        module.exit_json(changed=bool(jobs), done=[], pending={job.reference: "" for job in jobs})
    os.makedirs(WORK_DIRECTORY, mode=0o700, exist_ok=True)
    done, problems = [], []
    deadline = time.monotonic() + module.params["patience"]
    while jobs:
        states = {job: settle(job, docker) for job in jobs}
        done += [job.reference for job, state in states.items() if state == "done"]
        problems += [state for state in states.values() if state not in STATES]
        jobs = [job for job, state in states.items() if state in STATES[1:]]
        free = module.params["parallel"] - sum(1 for state in states.values() if state == "running")
        if not problems:
            for job in [job for job in jobs if states[job] == "idle"][: max(0, free)]:
                job.start()
        if not jobs or problems or time.monotonic() > deadline:
            break
        time.sleep(0.3)
    if problems:
        module.fail_json(msg="\n".join(problems), done=done, pending={})
    module.exit_json(changed=bool(done), done=done, pending={job.reference: job.last_line() for job in jobs})


if __name__ == "__main__":
    main()
