# SPDX-FileCopyrightText: 2026 The selfhosting.lago authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""The command line: bin/demo --help."""

from __future__ import annotations

import argparse
import sys
import time

from testbed import shell
from testbed.shell import TestbedError, say

from . import cleanup, events, report, server, state

EVENTS = 1000


def main() -> int:
    shell.program = "demo"
    options = parser().parse_args()
    try:
        if options.verb == "down":
            cleanup.down(options.keep_images)
        else:
            up(options)
    except TestbedError as error:
        print(f"demo: {error}", file=sys.stderr)
        if options.verb == "up":
            print("demo: bin/demo goes on where this ended; bin/demo down removes all that was made.", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("demo: interrupted. bin/demo goes on; bin/demo down removes all that was made.", file=sys.stderr)
        return 130
    return 0


def parser() -> argparse.ArgumentParser:
    top = argparse.ArgumentParser(
        prog="bin/demo",
        description="Installs Lago on a throw-away server in a container, sends it usage events and counts them.",
    )
    top.add_argument("verb", nargs="?", choices=["up", "down"], default="up", help="down removes all that was made")
    top.add_argument("--release", choices=["bookworm", "trixie"], help="Debian on the server (default: trixie)")
    top.add_argument(
        "--images",
        choices=["stand-in", "public"],
        help="default: Lago's own images where Docker Hub answers, else stand-ins built here",
    )
    top.add_argument("--keep-images", action="store_true", help="down: leave the images, for a quick next time")
    return top


def up(options: argparse.Namespace) -> None:
    began = time.monotonic()
    demo = state.open_or_begin(options.release, options.images)
    address = server.up(demo)
    changed = server.install(demo)
    sent = events.send(demo, address, EVENTS)
    counted = events.count(address, sent)
    report.show(demo, address, sent, counted)
    changes = f"reported {changed} changes" if changed else "changed nothing"
    say(f"done in {time.monotonic() - began:.0f} s; the playbook {changes}")
    if counted != sent.number:
        raise TestbedError(
            f"{sent.number} events were sent and {counted} are in Postgres. "
            f"What Lago says: bin/testbed --run {state.RUN} exec {state.SERVER} journalctl --unit=mash-lago-api"
        )


if __name__ == "__main__":
    sys.exit(main())
