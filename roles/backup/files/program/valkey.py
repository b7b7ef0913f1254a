# SPDX-FileCopyrightText: 2026 The selfhosting.lago authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""A snapshot of Valkey, taken as a replica takes one: nothing is written on its side."""

from __future__ import annotations

import re

from shell import Failure, Progress, run, stream


class Valkey:
    def __init__(self, configuration):
        self._container = configuration["container"]
        self._port = str(configuration["port"])
        self._password = configuration["password"]
        self.image = configuration["image"]

    @property
    def _environment(self):
        return {"REDISCLI_AUTH": self._password} if self._password else {}

    def cli(self, *arguments):
        names = [f"--env={name}" for name in self._environment]
        return ["docker", "exec", *names, self._container, "valkey-cli", "-p", self._port, *arguments]

    def info(self, field, section):
        text = run(self.cli("INFO", section), environment=self._environment).stdout
        found = re.search(rf"^{field}:(.*?)\r?$", text, re.MULTILINE)
        if not found:
            raise Failure(f"Valkey does not answer: {text.strip()[:200]}")
        return found.group(1)

    def size(self):
        return int(self.info("used_memory_dataset", "memory"))

    def version(self):
        return self.info("redis_version", "server")

    def count(self):
        """Of all its databases."""
        text = run(self.cli("INFO", "keyspace"), environment=self._environment).stdout
        return sum(map(int, re.findall(r"keys=(\d+)", text)))

    def dump(self, path):
        command = self.cli("--rdb", "-")
        stream(command, path, Progress("Copying Valkey's data"), self._environment)


def keys_in(directory, name, image):
    """How many keys a snapshot holds, by the program that checks it; a damaged one is an error."""
    command = ["docker", "run", "--rm", "--network=none", "--read-only", "--cap-drop=ALL", "--pull=never", "--user=0:0"]
    command += [f"--mount=type=bind,source={directory},target=/snapshot,readonly", "--entrypoint=valkey-check-rdb"]
    done = run([*command, image, f"/snapshot/{name}"], check=False)
    found = re.search(r"\[info\] (\d+) keys read", done.stdout)
    if done.returncode or not found:
        raise Failure(f"The snapshot of Valkey cannot be read: {(done.stdout + done.stderr).strip()[-500:]}")
    return int(found.group(1))
