# SPDX-FileCopyrightText: 2026 The selfhosting.lago authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Puts a backup in the place of what is there.

First all of it is fetched, compared with its checksums, and restored beside what is in use. Until then a restore that
dies has changed nothing. What follows is short, and written down step by step: one that dies is completed by the next
call. It reads what it has to do from request.json in the data directory:

  backup    name of a backup, or latest
  plan      true: say what would be done and what speaks against it, and do nothing
  of_host   a backup of another host is meant, and of this one (default: of this host)
  parts     which of postgres, valkey and storage (default: all that the backup has)
  start     false: leave Lago stopped, and migrate nothing (default: true)
"""

from __future__ import annotations

import json
import os
import shutil
import time

import manifest
from admission import refusals
from backup import clear, server_of, size_of
from beside import Beside
from placing import another_key, put_files, put_key, put_valkey
from postgres import differences
from report import timestamp, write
from shell import Failure, lasting, run, say, sized
from valkey import Valkey, keys_in

REQUEST = "request.json"
PARTS = ("postgres", "valkey", "storage")
# Indexes are made anew and are not in a dump: a database is up to so many times as large.
INDEXES = 2


class Restore:
    def __init__(self, configuration, repository):
        self._configuration, self._repository = configuration, repository
        # Of the records that each run of the playbook reads: it starts nothing on what is half in place.
        self._path = configuration["restore_path"]
        self._work = os.path.join(configuration["data_path"], "work", "restore")
        self._set = os.path.join(self._work, "set")
        with open(os.path.join(configuration["data_path"], REQUEST), encoding="utf-8") as file:
            self._request = json.load(file)
        self._state = self._read_state()

    def _read_state(self):
        """What was begun and is not done."""
        try:
            with open(self._path, encoding="utf-8") as file:
                return json.load(file)
        except FileNotFoundError:
            return None

    def _note(self, **changes):
        self._state = {**(self._state or {}), **changes}
        os.makedirs(os.path.dirname(self._path), exist_ok=True)
        write(self._path, json.dumps(self._state), 0o600)

    def run(self):
        started = time.monotonic()
        name = self._request["backup"]
        if self._state:
            self._continue(name)
        else:
            self._begin(name)
        if self._request.get("plan"):
            return
        if not self._state:
            self._prepare()
        self._put()
        say(f"Backup {self._short} is restored ({lasting(time.monotonic() - started)})")

    def _continue(self, name):
        self._snapshot, self._manifest = self._state["snapshot"], manifest.read(self._set)
        if name not in ("latest", self._short) and not self._snapshot["id"].startswith(name):
            raise Failure(
                f"The restore of backup {self._short} was interrupted when it had begun to replace what is there. "
                f"Complete it first: just restore {self._short}"
            )
        say(f"The restore of backup {self._short} was interrupted; what is left of it is done now")

    def _begin(self, name):
        self._snapshot = self._repository.find(name, self._request.get("of_host"))
        self._manifest = self._repository.manifest_of(self._snapshot)
        problems = refusals(self._configuration, self._manifest, self._parts, self._request)
        if problems:
            listed = "\n".join(f"  {number}. {problem}" for number, problem in enumerate(problems, 1))
            raise Failure(f"Backup {self._short} cannot be restored here, and nothing was changed:\n{listed}")
        self._announce()

    @property
    def _short(self):
        return self._snapshot["short_id"]

    @property
    def _parts(self):
        if self._state:
            return self._state["parts"]
        wanted = self._request.get("parts") or PARTS
        return [part for part in PARTS if part in wanted and self._manifest[part]]

    @property
    def _databases(self):
        databases = self._manifest["postgres"]["databases"]
        return Beside(server_of(self._configuration), databases, os.path.join(self._set, "postgres"))

    def _announce(self):
        lago = self._manifest["lago"]
        what = f", Lago {lago['version']}" if lago else ""
        say(f"Backup {self._short} of {self._snapshot['time'][:19]}, made on {self._manifest['host']}{what}")
        if "postgres" in self._parts:
            for name in self._databases.replaced():
                tables = self._manifest["postgres"]["databases"][name]["tables"]
                say(f"Will replace database {name}, and keep what is there now under another name: "
                    f"{sum(tables.values())} rows come back")  # fmt: skip
            self._announce_losses()
        if "valkey" in self._parts:
            jobs = "" if self._manifest.get("queue_elsewhere") else " (queued jobs)"
            say(f"Will replace Valkey's data{jobs}: {self._manifest['valkey']['keys']} keys come back")
        if self._manifest.get("queue_elsewhere"):
            say(f"Queued jobs in {self._manifest['queue_elsewhere']} stay as they are: they are not in the backup")
        if "storage" in self._parts:
            say("Will put back those of Lago's files that are missing or differ; newer ones stay")
        if another_key(self._manifest, self._configuration):
            say("Will put back Lago's RSA key, which that server made itself; the one here is another")
        if self._configuration["lago"]:
            say("Lago is stopped while that is put in place: clients are answered 503 and told to try again")

    def _announce_losses(self):
        if not self._configuration["lago"] or not self._manifest["lago"]:
            return
        database = self._manifest["lago"]["database"]
        count = self._databases.since(database, int(timestamp(self._snapshot["time"])))
        if count:
            say(f"{count} events were accepted after this backup and are not in it")

    def _prepare(self):
        """Everything that takes long. What is in use is not touched."""
        clear(self._work)
        os.makedirs(self._set, mode=0o700)
        databases = self._databases if "postgres" in self._parts else None
        try:
            if databases:
                databases.clear()
            self._check_space()
            say("Fetching it")
            self._repository.fetch(self._snapshot, self._set)
            problems = manifest.differences(manifest.read(self._set), self._set)
            if not problems and databases:
                say("Restoring Postgres beside what is in use")
                problems = databases.make()
            if not problems and "valkey" in self._parts:
                found = keys_in(os.path.join(self._set, "valkey"), "dump.rdb", self._configuration["valkey"]["image"])
                expected = self._manifest["valkey"]["keys"]
                problems = [] if found == expected else [f"Valkey: {expected} keys when copied, {found} in the copy"]
            if problems:
                raise Failure(f"Backup {self._short} is not whole, nothing was changed: {'; '.join(problems[:20])}")
        except BaseException:
            if databases:
                databases.clear()
            clear(self._work)
            raise
        # Of this restore and no other, also not of one of the same backup.
        key = f"{self._short}-{time.strftime('%Y%m%d-%H%M%S')}"
        start = self._request.get("start", True)
        self._note(snapshot=self._snapshot, key=key, parts=self._parts, start=start, done=[])

    def _check_space(self):
        """The set here, the databases where Postgres has its own."""
        needs = [(self._work, self._repository.size(self._snapshot))]
        if "postgres" in self._parts:
            dumps = {f"postgres/{one['file']}": one for one in self._manifest["postgres"]["databases"].values()}
            sizes = (
                one.get("bytes") or self._manifest["files"][path]["bytes"] * INDEXES for path, one in dumps.items()
            )
            needs.append((self._configuration["postgres"]["data_path"], sum(sizes)))
        if "storage" in self._parts:
            missing = self._manifest["storage"]["bytes"] - size_of(self._configuration["storage"])
            needs.append((self._configuration["storage"], max(0, missing)))
        devices = {}
        for path, need in needs:
            device = devices.setdefault(os.stat(path).st_dev, {"paths": [], "need": 0})
            device["paths"].append(path)
            device["need"] += need
        for device in devices.values():
            free = shutil.disk_usage(device["paths"][0]).free
            if free < device["need"]:
                raise Failure(
                    f"{' and '.join(device['paths'])} have {sized(free)} free and this restore needs "
                    f"{sized(device['need'])}. Nothing was changed. Make room, for example by deleting what an earlier "
                    "restore kept."
                )

    def _put(self):
        """Each step once; a step that was cut off is done again as a whole."""
        steps = {
            "stop": self._stop,
            "postgres": lambda: self._databases.swap(self._short),
            "compare": self._compare,
            "valkey": lambda: put_valkey(self._configuration["valkey"], self._set, self._state["key"]),
            "storage": lambda: put_files(self._manifest, self._set, self._configuration, self._kept),
            "key": lambda: put_key(self._manifest, self._set, self._configuration, self._kept),
            "start": self._start,
        }
        for name, step in steps.items():
            needed = (
                name in ("stop", "key", "start") or ("postgres" if name == "compare" else name) in self._state["parts"]
            )
            # Stopped again: somebody, or a boot, may have started it meanwhile.
            if needed and (name == "stop" or name not in self._state["done"]):
                step()
                self._note(done=[*self._state["done"], name])
        if "storage" in self._state["parts"]:
            self._clear_earlier()
        self._tell_the_end()
        os.unlink(self._path)
        clear(self._work)

    @property
    def _kept(self):
        return os.path.join(self._replaced, self._state["key"])

    @property
    def _replaced(self):
        return os.path.join(self._configuration["data_path"], "replaced")

    def _clear_earlier(self):
        """Files that earlier restores replaced, like databases and Valkey's data."""
        for name in os.listdir(self._replaced) if os.path.isdir(self._replaced) else []:
            if name != self._state["key"]:
                clear(os.path.join(self._replaced, name))

    def _stop(self):
        lago = self._configuration["lago"]
        if not lago:
            return
        units = self._added("units", lago, "list-units", "--state=active,activating")
        # Also what is down now: a boot before the end would start it on what is half in place.
        at_boot = self._added("at_boot", lago, "list-unit-files", "--state=enabled")
        self._note(units=units, at_boot=at_boot)
        if at_boot:
            run(["systemctl", "disable", "--quiet", "--", *at_boot], what="Keeping a boot from starting Lago")
        if units:
            say("Stopping Lago")
            run(["systemctl", "stop", "--", *units], what="Stopping Lago")

    def _added(self, key, lago, *listing):
        """Lago's units that are so now, and those that were when this restore stopped it before."""
        listed = run(["systemctl", *listing, "--plain", "--no-legend", f"{lago['identifier']}-*.service"]).stdout
        found = {line.split()[0] for line in listed.splitlines()}
        # The front has no state, and says that Lago is back soon.
        return sorted({*self._state.get(key, []), *found} - {f"{lago['front']}.service"})

    def _compare(self):
        server, problems = server_of(self._configuration), []
        for name, database in self._manifest["postgres"]["databases"].items():
            problems += differences(name, database, server.described(name))
        if problems:
            raise Failure(f"What was restored is not what the backup says: {'; '.join(problems[:20])}")

    def _start(self):
        lago = self._configuration["lago"]
        if not lago or not self._state["start"]:
            return
        if self._manifest["lago"] and self._manifest["lago"]["version"] != lago["version"]:
            say(f"Migrating the database from {self._manifest['lago']['version']} to {lago['version']}")
            run(["systemctl", "start", "--", f"{lago['migrate']}.service"], what="Migrating")
        if self._state["at_boot"]:
            run(["systemctl", "enable", "--quiet", "--", *self._state["at_boot"]], what="Letting a boot start Lago")
        if self._state["units"]:
            say("Starting Lago")
            run(["systemctl", "start", "--", *self._state["units"]], what="Starting Lago")

    def _tell_the_end(self):
        if "postgres" in self._parts:
            self._databases.report()
            for name in self._databases.keep():
                say(f"What was in use before is kept as database {name}")
        if os.path.isdir(self._kept):
            say(f"Files that were replaced are kept in {self._kept}")
        if "valkey" in self._parts:
            say(f"Valkey holds {Valkey(self._configuration['valkey']).count()} keys")
