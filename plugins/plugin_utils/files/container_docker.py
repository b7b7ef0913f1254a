# SPDX-FileCopyrightText: 2026 The selfhosting.lago authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""What Docker says of a container. Asked at its socket: no client is started each time that a program asks again."""

import http.client
import json
import socket

SOCKET = "/var/run/docker.sock"


class Connection(http.client.HTTPConnection):
    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(10)
        self.sock.connect(SOCKET)


def inspect(name):
    """As `docker inspect` shows it; empty where there is no such container, None where Docker does not answer."""
    connection = Connection("docker")
    try:
        connection.request("GET", f"/containers/{name}/json")
        response = connection.getresponse()
        body = response.read()
        return json.loads(body) if response.status == 200 else {}
    except (OSError, http.client.HTTPException):
        return None
    finally:
        connection.close()
