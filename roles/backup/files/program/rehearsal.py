# SPDX-FileCopyrightText: 2026 The selfhosting.lago authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""An upgrade of Lago on a copy from the newest backup, in containers that can reach nothing.

No clock runs there, and no job of the backup: an empty Valkey takes those of the upgrade alone. It reads what it has to
do from rehearsal.json in the data directory:

  backup   name of a backup, or latest
  hops     list of the releases on the way: `version`, `image`, `command` of the migration, `tasks` of rails after it,
           each with `name`, `environment` and `endless` (true: it does not end by itself)
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import time

import postgres
from report import write
from shell import Failure, debug, lasting, run, say, sized, started
from trial import START_SECONDS, Trial

REQUEST, RESULT = "rehearsal.json", "rehearsal-result.json"
MIGRATED = re.compile(r"^== (\d+) (\S+): migrated \(([0-9.]+)s\)")
# Lago's tasks wait for their jobs, some of them for ever.
TASK_SECONDS = 3600
QUEUE_SECONDS = 3600
# Sidekiq's own books: queues, and of each process how many jobs it works on.
QUEUED = """
local count = 0
for _, name in ipairs(redis.call('smembers', 'queues')) do count = count + redis.call('llen', 'queue:' .. name) end
for _, name in ipairs(redis.call('smembers', 'processes')) do
  count = count + (tonumber(redis.call('hget', name, 'busy')) or 0)
end
return count
"""
# Migrations that take less are not worth a line.
NOTABLE_SECONDS = 0.05


class Rehearsal(Trial):
    suffix = "rehearsal"

    def run(self, hops):
        """Seconds of each step, and what it does to the size of the database."""
        self.clear()
        try:
            run(["docker", "network", "create", "--internal", self.name])
            problems = self.check_postgres()
            if problems:
                raise Failure(f"The backup does not come back whole: {'; '.join(problems[:20])}")
            self.create(
                self.valkey, self.configuration["valkey"]["image"], "--detach", "--cap-drop=ALL", "--read-only",
                "--tmpfs=/data", "--entrypoint=valkey-server", command=["--save", ""],
            )  # fmt: skip
            before = self.size()
            done = [self.hop(hop) for hop in hops]
            return {"hops": done, "bytes_before": before, "bytes_after": self.size()}
        finally:
            self.clear()

    def size(self):
        server = postgres.Server(self.postgres, self.configuration["postgres"]["user"])
        return int(server.ask(f"SELECT pg_database_size({postgres.literal(self.manifest['lago']['database'])})")[0])

    def lago_options(self):
        return [
            *super().lago_options(),
            # Ready to take the jobs of the upgrade.
            f"--env=REDIS_URL=redis://{self.valkey}:6379", f"--env=LAGO_REDIS_CACHE_URL=redis://{self.valkey}:6379",
            "--env=REDIS_PASSWORD=", "--env=LAGO_REDIS_CACHE_PASSWORD=", "--env=LAGO_CREATE_ORG=false",
        ]  # fmt: skip

    def hop(self, hop):
        say(f"Migrating the copy to {hop['version']}")
        begin, migrations = time.monotonic(), []
        command = [
            "docker", "run", f"--name={self.lago}", "--rm", *self.lago_options(),
            f"--entrypoint={hop['command'][0]}", hop["image"], *hop["command"][1:],
        ]  # fmt: skip
        with started(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True) as process:
            for line in process.stdout:
                found = MIGRATED.match(line)
                if found:
                    migrations.append({"version": found[1], "name": found[2], "seconds": float(found[3])})
                    debug(f"Migrating: {len(migrations)} done, {lasting(time.monotonic() - begin)} so far")
        result = {"version": hop["version"], "seconds": time.monotonic() - begin, "migrations": migrations}
        result["tasks"] = self.tasks(hop) if hop["tasks"] else []
        return result

    def tasks(self, hop):
        """With a worker of the same release, which needs no more than the database and Valkey."""
        worker = f"{self.lago}-worker"
        options = [*self.lago_options(), "--entrypoint=./scripts/start.worker.sh"]
        run(["docker", "run", f"--name={worker}", "--detach", *options, hop["image"]])
        done = []
        try:
            for task in hop["tasks"]:
                say(f"On the copy: rails {task['name']}")
                begin = time.monotonic()
                self.task(hop["image"], task)
                self.wait_for_queue()
                done.append({"name": task["name"], "seconds": time.monotonic() - begin})
        finally:
            run(["docker", "rm", "--force", "--volumes", worker], check=False)
        return done

    def task(self, image, task):
        settings = [f"--env={name}={value}" for name, value in task["environment"].items()]
        options = [*self.lago_options(), *settings, "--entrypoint=bundle"]
        command = ["docker", "run", f"--name={self.lago}", *options, image, "exec", "rails", task["name"]]
        if not task["endless"]:
            run([*command[:2], "--rm", *command[2:]], timeout=TASK_SECONDS)
            return
        run([*command[:2], "--detach", "--rm", *command[2:]])
        # It has enqueued all of its jobs when it waits for them; then the queue says when they are done.
        self.wait_until(lambda: self.queued() > 0, START_SECONDS)
        self.wait_for_queue()
        run(["docker", "rm", "--force", self.lago], check=False)

    def wait_until(self, holds, seconds):
        deadline = time.monotonic() + seconds
        while not holds() and time.monotonic() < deadline:
            time.sleep(1)

    def wait_for_queue(self):
        deadline = time.monotonic() + QUEUE_SECONDS
        while waiting := self.queued():
            if time.monotonic() > deadline:
                raise Failure(f"{waiting} jobs still wait after {lasting(QUEUE_SECONDS)}")
            debug(f"{waiting} jobs wait")
            time.sleep(1)

    def queued(self):
        """Jobs that wait or run."""
        return int(run(["docker", "exec", self.valkey, "valkey-cli", "EVAL", QUEUED, "0"]).stdout)

    def clear(self):
        run(["docker", "rm", "--force", "--volumes", f"{self.lago}-worker"], check=False)
        super().clear()


def rehearse(configuration, directory, work, hops):
    result = Rehearsal(configuration, directory, work).run(hops)
    write(os.path.join(configuration["data_path"], RESULT), json.dumps(result, indent=1), 0o640)
    total = 0
    for hop in result["hops"]:
        migrations = hop["migrations"]
        migrating = f"{len(migrations)} migrations {sum(one['seconds'] for one in migrations):.1f} s"
        say(f"To {hop['version']}: {hop['seconds']:.1f} s, of which {migrating}")
        for one in sorted(migrations, key=lambda one: -one["seconds"]):
            if one["seconds"] >= NOTABLE_SECONDS:
                say(f"  {one['version']} {one['name']}: {one['seconds']:.2f} s")
        for task in hop["tasks"]:
            say(f"  rails {task['name']}: {task['seconds']:.1f} s")
        total += hop["seconds"] + sum(task["seconds"] for task in hop["tasks"])
    say(f"The database: {sized(result['bytes_before'])} before, {sized(result['bytes_after'])} after")
    say(
        f"The real upgrade: about {lasting(total)} for migrations and tasks, besides the backup that it makes "
        "first and the restarts; until a migration is through, the release before goes on serving"
    )
