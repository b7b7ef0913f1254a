# SPDX-FileCopyrightText: 2026 The selfhosting.lago authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""One run at a time changes a server: a lease in a file, and a log of what each run did. Standard library only.

A module that changes something takes the lease at its beginning and renews it while it works, so that it is held from
the first change of a run to its end, and no look at a server costs more for it. What the run has done so far stands in
the lease: whoever takes it over writes into the log how far the run before came.
"""

from __future__ import annotations

import contextlib
import datetime
import fcntl
import json
import os
import threading
import time

from ansible.module_utils.basic import AnsibleModule

STATE = "/var/lib/selfhosting-lago"
LOG = "/var/log/selfhosting-lago/runs.jsonl"
# Seconds without a sign of life after which a run is dead. Between two modules of a run there are a few.
LIFETIME = 120
RENEWAL = 20
# Some thousand runs; the file before is kept.
LARGEST_LOG = 1024 * 1024

OPTIONS = {
    "type": "dict",
    "options": {
        "id": {"type": "str", "required": True},
        # Of the lease that the probe of this run saw.
        "serial": {"type": "int", "required": True},
        "who": {"type": "str", "required": True},
        "commit": {"type": "str", "default": ""},
        "host": {"type": "str", "default": ""},
    },
}


class LeaseError(Exception):
    """Another run has the server."""


def now():
    return datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds")


def boot():
    with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as file:
        return file.read().strip()


def read():
    try:
        with open(os.path.join(STATE, "lease.json"), encoding="utf-8") as file:
            return json.load(file)
    except (OSError, ValueError):
        return {}


def write(lease):
    path = os.path.join(STATE, "lease.json")
    with open(f"{path}.new", "w", encoding="utf-8") as file:
        json.dump(lease, file)
    os.chmod(f"{path}.new", 0o600)
    os.replace(f"{path}.new", path)


def alive(lease):
    """Whether its run is at work. By the kernel's own clock: nobody sets it."""
    held = bool(lease) and not lease["ended"] and lease["boot"] == boot()
    return held and time.monotonic() - lease["renewed"] < LIFETIME


def seen():
    """What the probe tells of it."""
    lease = read()
    return {
        "serial": lease.get("serial", 0),
        "id": lease.get("id", ""),
        "who": lease.get("who", ""),
        "began": lease.get("began", ""),
        "alive": alive(lease),
    }


@contextlib.contextmanager
def locked():
    os.makedirs(STATE, mode=0o700, exist_ok=True)
    with open(os.path.join(STATE, "lock"), "w", encoding="utf-8") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def acquire(terms):
    """Take the lease, or go on with it."""
    with locked():
        lease = read()
        if alive(lease) and lease["id"] != terms["id"]:
            raise LeaseError(
                f"{lease['who']} has been changing this server since {lease['began']}; nothing more was changed. "
                "Run again when that is over."
            )
        mine = lease.get("id") == terms["id"]
        if not mine and lease.get("serial", 0) != terms["serial"]:
            raise LeaseError(
                f"{lease['who']} has changed this server since this run looked at it ({lease['began']}); nothing more "
                "was changed. Run again."
            )
        if not mine or lease["ended"]:
            if lease and not lease["ended"]:
                append(entry(lease, "unfinished"))
            lease = {**terms, "serial": lease.get("serial", 0) + 1, "began": now(), "ended": False, "units": {}}
        write({**lease, "boot": boot(), "renewed": time.monotonic()})


def renew(terms, units=None):
    with locked():
        lease = read()
        if lease.get("id") == terms["id"] and not lease["ended"]:
            lease["units"].update(units or {})
            write({**lease, "boot": boot(), "renewed": time.monotonic()})


def end(terms, outcome, **more):
    """Give it back and log the run; False where it had none."""
    with locked():
        lease = read()
        if lease.get("id") != terms["id"] or lease["ended"]:
            return False
        append({**entry(lease, outcome), **more})
        write({**lease, "ended": True})
        return True


def entry(lease, outcome):
    kept = {key: lease.get(key, "") for key in ("who", "began", "commit", "host", "units")}
    return {**kept, "ended": now(), "outcome": outcome}


def append(line):
    os.makedirs(os.path.dirname(LOG), mode=0o750, exist_ok=True)
    with contextlib.suppress(OSError):
        if os.path.getsize(LOG) > LARGEST_LOG:
            os.replace(LOG, f"{LOG}.1")
    with open(os.open(LOG, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o640), "a", encoding="utf-8") as file:
        file.write(json.dumps(line, sort_keys=True) + "\n")


class LeasedModule(AnsibleModule):
    """A module that changes a server: not without the lease, where its caller gives the terms of one."""

    def __init__(self, argument_spec, **options):
        super().__init__(argument_spec={**argument_spec, "lease": OPTIONS}, **options)
        self._lease = None if self.check_mode else self.params["lease"]
        self._over = threading.Event()
        if self._lease:
            try:
                acquire(self._lease)
            except LeaseError as error:
                self._lease = None
                self.fail_json(msg=str(error))
            threading.Thread(target=self._renew, daemon=True).start()

    def _renew(self):
        while not self._over.wait(RENEWAL):
            renew(self._lease)

    def exit_json(self, **result):
        if self._lease:
            self._over.set()
            renew(self._lease, result.get("units") if isinstance(result.get("units"), dict) else None)
        super().exit_json(**result)

    def give_back(self, message):
        """Who corrects what is wrong and runs again need not wait until it is dead."""
        if getattr(self, "_lease", None):
            self._over.set()
            end(self._lease, "failed", message=str(message).splitlines()[0][:300])
            self._lease = None

    def fail_json(self, msg, **result):
        self.give_back(msg)
        super().fail_json(msg, **result)
