# SPDX-FileCopyrightText: 2026 The selfhosting.lago authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Addresses of a server, what listens on it, and who."""

from __future__ import annotations

import ipaddress
import os
import sys

from .machine import read_line

# File of /proc/net, its protocol, and the state of a socket that waits for anybody: LISTEN, and of UDP, which knows no
# listening, unconnected (include/net/tcp_states.h in Linux).
LISTENING = [("tcp", "tcp", "0A"), ("tcp6", "tcp", "0A"), ("udp", "udp", "07"), ("udp6", "udp", "07")]


def address_of(text):
    """An address of /proc/net: words of four bytes, each in the order of the processor."""
    words = [bytes.fromhex(text[start : start + 8]) for start in range(0, len(text), 8)]
    return str(ipaddress.ip_address(b"".join(word[::-1] if sys.byteorder == "little" else word for word in words)))


def listening_sockets():
    """Inode to address and port of the sockets that take what comes from anybody, over IPv4 and IPv6."""
    sockets = {}
    for name, protocol, listens in LISTENING:
        try:
            with open(f"/proc/net/{name}", encoding="ascii") as file:
                for line in file.readlines()[1:]:
                    fields = line.split()
                    if fields[3] == listens:
                        address, _colon, port = fields[1].rpartition(":")
                        sockets[fields[9]] = (address_of(address), f"{int(port, 16)}/{protocol}")
        except OSError:
            continue
    return sockets


def listeners(sockets, containers, leaving=()):
    """Who listens: address, port, and a container or the name of a process; "" where none was found.

    Containers that are leaving are no longer there when somebody asks for their ports.
    """
    found = []
    for name, container in containers.items():
        found += [[address, port, f"container {name}"] for address, port in container["ports"]]
    published = {port for _address, port, _who in found}
    wanted = {f"socket:[{inode}]": place for inode, place in sockets.items() if place[1] not in published}
    # What listens for long was started early.
    for process in sorted((name for name in os.listdir("/proc") if name.isdigit()), key=int):
        if not wanted:
            break
        try:
            for descriptor in os.listdir(f"/proc/{process}/fd"):
                place = wanted.pop(os.readlink(f"/proc/{process}/fd/{descriptor}"), None)
                if place:
                    found.append([*place, f"process {read_line(f'/proc/{process}/comm')}"])
        except OSError:
            # It ended meanwhile.
            continue
    found += [[*place, ""] for place in wanted.values()]
    return [one for one in found if one[2] not in {f"container {name}" for name in leaving}]


def addresses():
    """The server's own IP addresses, as the kernel lists them."""
    found = set()
    try:
        with open("/proc/net/fib_trie", encoding="ascii") as file:
            last = ""
            for line in file:
                if "/32 host LOCAL" in line:
                    found.add(last)
                elif "|-- " in line:
                    last = line.split("|-- ")[1].strip()
    except OSError:
        pass
    try:
        with open("/proc/net/if_inet6", encoding="ascii") as file:
            for line in file:
                found.add(str(ipaddress.ip_address(bytes.fromhex(line.split()[0]))))
    except OSError:
        pass
    return sorted(found)
