# SPDX-FileCopyrightText: 2026 The selfhosting.lago authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Restores a backup into containers that can reach nothing and are thrown away, and looks at what came back."""

from __future__ import annotations

import json
import os
import shutil
import time

import manifest
import postgres
from shell import Failure, run, say
from valkey import keys_in

# Postgres makes a new data directory; the image is there, so this is the time of initdb on a slow disk.
START_SECONDS = 180
# Lago boots in 20 to 60 s on a small server.
APPLICATION_SECONDS = 900
# Whether migrations are pending, and the first value of every encrypted column, read with Lago's own code; in one call,
# because Lago boots for each. Prints counts, no values.
LOOK = """
Rails.application.load_tasks
Rake::Task["db:abort_if_pending_migrations"].invoke
Rails.application.eager_load!
found = Hash.new(0)
ActiveRecord::Base.descendants.each do |model|
  next if model.abstract_class? || model.encrypted_attributes.blank? || !model.table_exists?
  model.encrypted_attributes.each do |name|
    record = model.where.not(name => nil).first
    next unless record
    record.public_send(name)
    found[model.table_name] += 1
  end
end
puts "decrypted " + found.to_json
"""


class Trial:
    suffix = "trial"

    def __init__(self, configuration, directory, work):
        self.configuration, self.directory, self.work = configuration, directory, work
        self.name = f"{configuration['identifier']}-{self.suffix}"
        self.manifest = manifest.read(directory)
        self.postgres, self.valkey, self.lago = (f"{self.name}-{part}" for part in ("postgres", "valkey", "lago"))

    def problems(self):
        """What is wrong with it: one text each."""
        say("Comparing checksums")
        found = manifest.differences(self.manifest, self.directory)
        if found:
            return found
        self.clear()
        try:
            # Inside of it the containers reach each other and nothing else.
            run(["docker", "network", "create", "--internal", self.name])
            if self.manifest["postgres"]:
                found += self.check_postgres()
            if self.manifest["valkey"]:
                found += self.check_valkey()
            if self.manifest["lago"] and self.manifest["postgres"] and not found:
                found += self.check_lago()
        finally:
            self.clear()
        return found

    def clear(self):
        run(["docker", "rm", "--force", "--volumes", self.postgres, self.valkey, self.lago], check=False)
        run(["docker", "network", "rm", self.name], check=False)
        data = os.path.join(self.work, "data")
        if os.path.isdir(data):
            shutil.rmtree(data)

    def create(self, name, image, *options, command=()):
        run(["docker", "run", f"--name={name}", "--pull=never", f"--network={self.name}", *options, image, *command])

    def check_postgres(self):
        expected = self.manifest["postgres"]["databases"]
        data = os.path.join(self.work, "data")
        os.makedirs(data, mode=0o700)
        uid, gid = self.configuration["postgres"]["ids"].split(":")
        os.chown(data, int(uid), int(gid))
        user = self.configuration["postgres"]["user"]
        say("Restoring Postgres on trial")
        self.create(
            self.postgres, self.configuration["postgres"]["image"],
            "--detach", f"--user={uid}:{gid}", "--cap-drop=ALL", "--shm-size=256m",
            f"--mount=type=bind,source={data},target=/data", "--env=PGDATA=/data",
            f"--env=POSTGRES_USER={user}", "--env=POSTGRES_DB=postgres",
            # Reached by nobody but this trial.
            "--env=POSTGRES_HOST_AUTH_METHOD=trust",
            # A crash would throw it away anyway.
            command=["postgres", "-c", "fsync=off", "-c", "full_page_writes=off"],
        )  # fmt: skip
        server = postgres.Server(self.postgres, user)
        self.wait(["docker", "exec", self.postgres, "pg_isready", "--quiet", "--host=127.0.0.1", f"--username={user}"])
        server.restore_globals(os.path.join(self.directory, "postgres", "globals.sql"))
        problems = []
        for name, database in expected.items():
            server.restore(name, database["properties"], os.path.join(self.directory, "postgres", database["file"]))
            problems += postgres.differences(name, database, server.described(name))
        return problems

    def wait(self, command):
        deadline = time.monotonic() + START_SECONDS
        while run(command, check=False).returncode:
            if time.monotonic() > deadline:
                said = run(["docker", "logs", "--tail=20", self.postgres], check=False)
                raise Failure(f"The Postgres of the trial does not start: {said.stdout}{said.stderr}")
            time.sleep(0.5)

    def check_valkey(self):
        expected = self.manifest["valkey"]["keys"]
        found = keys_in(os.path.join(self.directory, "valkey"), "dump.rdb", self.configuration["valkey"]["image"])
        return [] if found == expected else [f"Valkey: {expected} keys when it was copied, {found} in the copy"]

    def lago_options(self):
        """With the environment of the backup, so that its keys are those that are tried."""
        lago = self.manifest["lago"]
        environment = os.path.join(self.directory, "server") + lago["environment"]
        database, user = lago["database"], self.configuration["postgres"]["user"]
        options = []
        if lago.get("rsa_key"):
            # Made on the server; without it Lago does not boot.
            key = os.path.join(self.directory, "server") + lago["rsa_key"]
            options.append(f"--mount=type=bind,source={key},target=/app/config/keys/private.pem,readonly")
        return [
            *options,
            "--pull=never", f"--network={self.name}", "--read-only", "--cap-drop=ALL", f"--user={lago['ids']}",
            f"--env-file={environment}",
            "--tmpfs=/tmp:rw,nosuid,mode=1777", "--tmpfs=/app/tmp:rw,mode=1777", "--tmpfs=/app/log:rw,mode=1777",
            f"--env=DATABASE_URL=postgresql://{user}@{self.postgres}/{database}",
            # Nothing is behind it: what asks for a queue fails at once.
            "--env=REDIS_URL=redis://127.0.0.1:1", "--env=LAGO_REDIS_CACHE_URL=redis://127.0.0.1:1",
        ]  # fmt: skip

    def check_lago(self):
        say("Asking Lago for its migrations and for a stored credential")
        command = ["docker", "run", f"--name={self.lago}", "--rm", *self.lago_options(), "--entrypoint=bundle"]
        done = run(
            [*command, self.manifest["lago"]["image"], "exec", "rails", "runner", LOOK],
            check=False,
            timeout=APPLICATION_SECONDS,
            what="Lago on the restored database",
        )
        if done.returncode:
            # The error stands above the places that it came through.
            lines = [line for line in (done.stdout + done.stderr).splitlines() if not line.startswith("\tfrom ")]
            return [f"Lago on the restored database: {' '.join(lines)[-2000:]}"]
        counts = json.loads(done.stdout.rsplit("decrypted ", 1)[1])
        if sum(counts.values()):
            say(f"Credentials read with the keys of the backup: {', '.join(sorted(counts))}")
        else:
            say("No credential is stored yet: the keys were not tried")
        return []
