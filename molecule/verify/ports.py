# SPDX-FileCopyrightText: 2026 The selfhosting.lago authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Ports as an attacker finds them: from outside all of TCP, and whether somebody speaks QUIC at one of UDP."""

from __future__ import annotations

import os
import socket

ALL = range(1, 65536)
# RFC 8999, 6: a packet whose version nobody knows is answered with the versions that the server knows.
UNKNOWN_VERSION = bytes.fromhex("1a2a3a4a")
# RFC 9000, 14.1: a server need not answer smaller ones.
PACKET = 1200


def is_open(address: str, port: int, seconds: float = 2) -> bool:
    with socket.socket() as connection:
        connection.settimeout(seconds)
        return connection.connect_ex((address, port)) == 0


def open_ports(address: str) -> list[int]:
    return [port for port in ALL if is_open(address, port)]


def listening(host, protocol: str) -> set[int]:
    """What listens on every address of the server; what is bound to a container's bridge is not outside."""
    lines = host.check_output("ss --no-header --numeric --listening --%s", protocol).splitlines()
    local = [line.split()[3] for line in lines]
    return {int(one.rpartition(":")[2]) for one in local if not one.startswith(("127.", "[::1]"))}


def quic_versions(address: str, port: int, attempts: int = 5) -> set[int]:
    """The versions that a QUIC server names; nothing where none answers."""
    identifier = os.urandom(8)
    packet = b"\xc0" + UNKNOWN_VERSION + b"\x08" + identifier + b"\x00"
    with socket.socket(type=socket.SOCK_DGRAM) as connection:
        connection.settimeout(2)
        connection.connect((address, port))
        for _attempt in range(attempts):
            try:
                connection.send(packet.ljust(PACKET, b"\0"))
                answer = connection.recv(65535)
            except OSError:
                continue
            # Its own identifier comes back: first byte, version 0, an empty one of the client, then this.
            if answer[1:5] == bytes(4) and identifier in answer[:24]:
                versions = answer[7 + answer[5] + answer[6 + answer[5]] :]
                return {int.from_bytes(versions[at : at + 4], "big") for at in range(0, len(versions), 4)}
    return set()
