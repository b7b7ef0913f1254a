# SPDX-FileCopyrightText: 2026 The selfhosting.lago authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""What a person wants to see at the end."""

from __future__ import annotations

from rich import box
from rich.console import Console
from rich.table import Table

from . import server, state
from .events import Sent
from .state import HOST, SERVER, Demo

# One line for each unit: name, active state, sub state, seconds since 1970 of its start, image.
# A one-shot that has done its work leaves a record and no state.
UNITS = """
cd /etc/systemd/system
for unit in mash-*.service mash-*.timer; do
  [ -e "$unit" ] || continue
  active=$(systemctl show --property=ActiveState --value "$unit")
  sub=$(systemctl show --property=SubState --value "$unit")
  since=$(systemctl show --property=ActiveEnterTimestamp --value "$unit")
  record=/mash/selfhosting-lago/records/${unit%.service}.json
  if [ -e "$record" ]; then active=done sub= since=$(date --reference="$record"); fi
  if [ -n "$since" ]; then since=$(date --utc --date="$since" +%H:%M:%S); fi
  image=$(sed -n 's/^Image=//p' "$unit")
  echo "$unit|$active|$sub|$since|$image"
done
"""


def show(demo: Demo, address: str, sent: Sent, counted: int) -> None:
    console = Console(highlight=False, soft_wrap=True)
    if not console.is_terminal:
        console.width = 140
    console.print(table(demo, server.ssh(address, "sh", stdin=UNITS)))
    if demo.images == "stand-in":
        console.print("stand-in: a small application with Lago's processes and interfaces, not Lago itself.\n")
    console.print(f"{sent.number} usage events sent, {counted} counted in Postgres.\n")
    console.print(f"Lago is at https://{HOST}/ on the server {address}. From this machine:")
    console.print(f"  curl --cacert {state.certificate()} --resolve {HOST}:443:{address} https://{HOST}/")
    console.print(f"In a browser, with this line in /etc/hosts:  {address} {HOST}\n")
    console.print(access(demo))
    console.print(f"A shell on the server: ssh -F {server.ssh_config()} {SERVER}")
    console.print("Remove it all: bin/demo down")


def table(demo: Demo, units: str) -> Table:
    made = Table(box=box.SIMPLE_HEAD, pad_edge=False, title=f"Services on {HOST}", title_justify="left")
    for title in ("Unit", "State", "Image", "Ready since (UTC)"):
        made.add_column(title, no_wrap=True)
    for line in units.splitlines():
        unit, active, sub, since, image = line.split("|")
        image = image.removeprefix("docker.io/")
        if demo.images == "stand-in" and image.startswith("getlago/"):
            image += " (stand-in)"
        made.add_row(unit, f"{active} {sub}".strip(), image, since)
    return made


def access(demo: Demo) -> str:
    """Shown once; later only where it stands."""
    if not demo.new:
        return f"How to log in: {state.login_file()}"
    login = state.login()
    return (
        f"Log in as {login['email']} with the password {login['password']}\n"
        f"API key of the organisation {login['organization']}: {login['api_key']}\n"
        f"This is shown once; it stays in {state.login_file()}"
    )
