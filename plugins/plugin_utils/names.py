# SPDX-FileCopyrightText: 2026 The selfhosting.lago authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""What a host name stands for, as the machine sees it that runs Ansible."""

from __future__ import annotations

import ipaddress
import socket
import threading

# Seconds. The C library's own patience is 10 s for each name server that does not answer.
PATIENCE = 5
NO_SUCH_NAME = {socket.EAI_NONAME, getattr(socket, "EAI_NODATA", socket.EAI_NONAME)}


def addresses_of(name: str, patience: float = PATIENCE) -> list[str] | None:
    """Its addresses, none where there is no such name; None where nobody could be asked."""
    answer: list[list[str] | None] = [None]

    def ask() -> None:
        try:
            found = socket.getaddrinfo(name, None, type=socket.SOCK_STREAM)
            answer[0] = sorted({str(ipaddress.ip_address(entry[4][0].partition("%")[0])) for entry in found})
        except socket.gaierror as error:
            answer[0] = [] if error.errno in NO_SUCH_NAME else None
        except (OSError, ValueError, UnicodeError):
            answer[0] = None

    # A question that hangs cannot be taken back, only left.
    thread = threading.Thread(target=ask, daemon=True)
    thread.start()
    thread.join(patience)
    return answer[0]
