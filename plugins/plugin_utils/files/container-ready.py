#!/usr/bin/python3
# SPDX-FileCopyrightText: 2026 The selfhosting.lago authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Wait until a container answers a probe; exit 1 when it ends first or does not answer in time.

Runs as ExecStartPost= of the container's unit, so that systemd calls a unit started when it can do its work.

  container-ready [--timeout=S] NAME http PORT PATH     any answer below 500
  container-ready [--timeout=S] NAME tcp PORT           the port accepts a connection
  container-ready [--timeout=S] NAME established PORT.. a process in it is connected to one of these ports somewhere
  container-ready [--timeout=S] NAME established except PORT..   to any other port than these
  container-ready [--timeout=S] NAME exec COMMAND..     the command ends with 0 inside the container
"""

import http.client
import os
import socket
import subprocess
import sys
import time

# Python's -I leaves the program's own directory out.
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from container_docker import inspect

INTERVAL = 0.2


def addresses(container):
    return [
        network[key]
        for network in container["NetworkSettings"]["Networks"].values()
        for key in ("IPAddress", "GlobalIPv6Address")
        if network.get(key)
    ]


def http_answers(container, port, path):
    for address in addresses(container):
        connection = http.client.HTTPConnection(address, int(port), timeout=5)
        try:
            connection.request("GET", path, headers={"Host": "localhost"})
            return connection.getresponse().status < 500
        except (OSError, http.client.HTTPException):
            continue
        finally:
            connection.close()
    return False


def tcp_answers(container, port):
    for address in addresses(container):
        try:
            socket.create_connection((address, int(port)), timeout=5).close()
            return True
        except OSError:
            continue
    return False


def established(container, *ports):
    """State 01 in /proc/<pid>/net/tcp is ESTABLISHED; the third column is the other end, ports are hexadecimal."""
    others = ports[:1] == ("except",)
    named = {int(port) for port in ports[others:]}
    for table in ("tcp", "tcp6"):
        try:
            with open(f"/proc/{container['State']['Pid']}/net/{table}", encoding="ascii") as file:
                rows = [line.split() for line in file.readlines()[1:]]
        except OSError:
            continue
        if any(row[3] == "01" and (int(row[2].rsplit(":", 1)[1], 16) in named) != others for row in rows):
            return True
    return False


def exec_succeeds(container, *command):
    done = subprocess.run(
        ["docker", "exec", container["Id"], *command], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False
    )
    return done.returncode == 0


PROBES = {"http": http_answers, "tcp": tcp_answers, "established": established, "exec": exec_succeeds}


def main(arguments):
    timeout = 120.0
    if arguments and arguments[0].startswith("--timeout="):
        timeout = float(arguments.pop(0).split("=", 1)[1])
    name, kind, *details = arguments
    deadline = time.monotonic() + timeout
    while time.monotonic() < deadline:
        container = inspect(name)
        state = container["State"] if container else {}
        if state.get("Running") and PROBES[kind](container, *details):
            return 0
        if state.get("Status") in ("exited", "dead"):
            print(f"{name} ended with exit code {state.get('ExitCode')} before it was ready", file=sys.stderr)
            return 1
        time.sleep(INTERVAL)
    print(f"{name} did not answer its probe ({kind} {' '.join(details)}) within {timeout:.0f} s", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
