# SPDX-FileCopyrightText: 2026 The selfhosting.lago authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""The command line: `bin/testbed --help`."""

from __future__ import annotations

import argparse
import json
import os
import sys

from . import catalogue, engine, images, machine, registry, servers, stock
from .shell import TestbedError, say


def main() -> int:
    arguments = parser().parse_args()
    try:
        return arguments.function(arguments) or 0
    except TestbedError as error:
        print(f"testbed: {error}", file=sys.stderr)
        return 1


def parser() -> argparse.ArgumentParser:
    top = argparse.ArgumentParser(prog="testbed", description="Servers, images and a registry to test with.")
    top.add_argument(
        "--run",
        default=os.environ.get("TESTBED_RUN", "dev"),
        help="name of the group of servers (TESTBED_RUN, default %(default)s); `down` ends only this group",
    )
    verbs = top.add_subparsers(required=True, metavar="VERB")

    def verb(name: str, function, text: str) -> argparse.ArgumentParser:
        added = verbs.add_parser(name, help=text, description=text)
        added.set_defaults(function=function)
        return added

    verb("engine", do_engine, "make sure that a Docker engine answers")
    verb("hub", do_hub, "say whether Docker Hub answers (exit code 0: yes)")
    added = verb("images", do_images, "build all images and push them to the test registry")
    added.add_argument("--no-push", action="store_true", help="only build")
    added = verb("up", do_up, "make or start servers, with all they need; prints them as JSON")
    added.add_argument("server", nargs="+", help="NAME=RELEASE or NAME=RELEASE-bare (no Docker on it)")
    added.add_argument(
        "--images",
        choices=["stand-in", "public"],
        default=os.environ.get("TESTBED_IMAGES", "stand-in"),
        help="where the servers pull from: the test registry, or wherever the public images are",
    )
    added = verb("down", do_down, "end servers of the run (default: all of them)")
    added.add_argument("server", nargs="*")
    added.add_argument("--everything", action="store_true", help="also registry, network, images and our engine")
    verb("list", do_list, "the servers of the run, as JSON")
    verb("registry", do_registry, "print the registry's address as servers see it")
    added = verb("ssh-config", do_ssh_config, "print the path of a configuration for `ssh -F`")
    for name, function, text in (
        ("address", do_address, "print a server's address"),
        ("reboot", do_reboot, "shut a server down in order and boot it"),
        ("power-cut", do_power_cut, "cut a server's power and boot it"),
        ("wait", do_wait, "wait until a server has booted"),
    ):
        verb(name, function, text).add_argument("server")
    added = verb("machine", do_machine, "run a command in a clean checkout on a bare Debian with an empty home")
    added.add_argument("release", choices=["bookworm", "trixie"])
    added.add_argument("--keep", action="store_true", help="leave the machine there")
    added.add_argument("command", nargs=argparse.REMAINDER)
    added = verb("journal", do_journal, "print the journals of failed units (default: of all servers of the run)")
    added.add_argument("server", nargs="*")
    added = verb("exec", do_exec, "run a command on a server")
    added.add_argument("server")
    added.add_argument("command", nargs=argparse.REMAINDER)
    return top


def do_engine(_arguments: argparse.Namespace) -> None:
    engine.ensure()


def do_hub(_arguments: argparse.Namespace) -> int:
    answers = registry.hub_answers()
    print("Docker Hub answers." if answers else "Docker Hub does not answer from here.")
    return 0 if answers else 1


def do_images(arguments: argparse.Namespace) -> None:
    engine.ensure()
    wanted = catalogue.load()
    images.build(wanted)
    if not arguments.no_push:
        registry.ensure()
        registry.push(wanted)


def do_up(arguments: argparse.Namespace) -> None:
    wanted = [servers.Wanted.parse(text) for text in arguments.server]
    engine.ensure()
    known = catalogue.load()
    mirror = prepare = None
    if arguments.images == "stand-in":
        images.build(known)
        registry.ensure()
        registry.push(known)
        mirror, prepare = registry.address(), stock.fill
        for kind in {one.variant: one for one in wanted if one.has_docker}.values():
            stock.make(kind, mirror)
    else:
        images.build([image for image in known if not image.published])
        registry.ensure_network()
    started = servers.up(arguments.run, wanted, mirror, prepare)
    print(json.dumps([server.described() for server in started], indent=2))


def do_down(arguments: argparse.Namespace) -> None:
    if not engine.answers():
        say("no Docker engine answers: nothing to end")
        return
    servers.remove(arguments.run, arguments.server)
    if arguments.everything:
        remove_shared()


def remove_shared() -> None:
    others = servers.list_servers()
    if others:
        say("kept registry, network and images: in use by " + ", ".join(f"{one.run}/{one.name}" for one in others))
        return
    stock.remove()
    registry.remove()
    registry.remove_network()
    images.remove_all()
    engine.stop()


def do_list(arguments: argparse.Namespace) -> None:
    print(json.dumps([server.described() for server in servers.list_servers(arguments.run)], indent=2))


def do_registry(_arguments: argparse.Namespace) -> None:
    print(registry.address())


def do_ssh_config(arguments: argparse.Namespace) -> None:
    print(servers.write_ssh_config(arguments.run))


def do_address(arguments: argparse.Namespace) -> None:
    print(servers.get(arguments.run, arguments.server).address)


def do_reboot(arguments: argparse.Namespace) -> None:
    servers.reboot(servers.get(arguments.run, arguments.server))


def do_power_cut(arguments: argparse.Namespace) -> None:
    servers.power_cut(servers.get(arguments.run, arguments.server))


def do_wait(arguments: argparse.Namespace) -> None:
    servers.wait(servers.get(arguments.run, arguments.server))


def do_journal(arguments: argparse.Namespace) -> None:
    for server in servers.list_servers(arguments.run):
        if not arguments.server or server.name in arguments.server:
            servers.print_journal(server)


def do_exec(arguments: argparse.Namespace) -> int:
    return servers.execute(servers.get(arguments.run, arguments.server), command_of(arguments))


def do_machine(arguments: argparse.Namespace) -> int:
    engine.ensure()
    images.build_bases([arguments.release])
    return machine.run_on_fresh_machine(arguments.run, arguments.release, command_of(arguments), arguments.keep)


def command_of(arguments: argparse.Namespace) -> list[str]:
    return arguments.command[1:] if arguments.command[:1] == ["--"] else arguments.command


if __name__ == "__main__":
    sys.exit(main())
