# SPDX-FileCopyrightText: 2026 The selfhosting.lago authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""The command line: bin/bench --help."""

from __future__ import annotations

import argparse
import json
import os
import re
import resource
import statistics
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

from . import backups
from .poller import Poller
from .server import API_KEY, HOSTNAME, REPOSITORY, BenchError, Server

API_PATH = "/api/v1/organizations"
ANSWER_SECONDS = 60
# Ansible shows each call of ssh, sftp or scp like this from -vvv on.
REMOTE_EXECUTION = re.compile(r" SSH: EXEC ")
RUNS = {"floor": "one ping, no facts", "service": "install-service lago", "all": "install-all"}
RECIPES = {"service": ["install-service", "lago"], "all": ["install-all"]}
# Times the floor: what is wanted.
WANTED = {"service": 3, "all": 5}


def parser() -> argparse.ArgumentParser:
    top = argparse.ArgumentParser(
        prog="bin/bench",
        description="Measures runs that change nothing against a playbook with one ping; or backups.",
    )
    top.add_argument("--backup", action="store_true", help="measure backup, verification and restore instead")
    top.add_argument("--events", type=int, default=1_000_000, help="with --backup: so many (default %(default)s)")
    top.add_argument("--json", action="store_true", help="print one object instead of a table")
    top.add_argument("--rounds", type=int, default=5, help="runs of each kind, taking turns (default %(default)s)")
    top.add_argument(
        "--server", metavar="VARIANT", default="bookworm-bare", help="as bin/testbed up (default %(default)s)"
    )
    top.add_argument("--run", default="bench", help="the test bed's name for the server (default %(default)s)")
    top.add_argument("--keep", action="store_true", help="leave the server and its inventory there")
    top.add_argument(
        "--images",
        choices=["stand-in", "public"],
        default=os.environ.get("TESTBED_IMAGES", "stand-in"),
        help="stand-ins built here, or the real images from public registries (default %(default)s)",
    )
    return top


@dataclass(frozen=True)
class Sample:
    seconds: float
    # Of this machine; less noisy than the time where others use it, too.
    cpu_seconds: float
    output: str


class Bench:
    def __init__(self, server: Server):
        self.commands = {
            "floor": ["ansible-playbook", f"--inventory={server.hosts}", "tests/bench/floor.yml"],
            **{name: ["bin/just", f"inventory={server.hosts}", *recipe] for name, recipe in RECIPES.items()},
        }

    def run(self, name: str, *arguments: str) -> Sample:
        begin, cpu_begin = time.monotonic(), cpu_of_children()
        done = subprocess.run(
            [*self.commands[name], *arguments],
            cwd=REPOSITORY,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        sample = Sample(time.monotonic() - begin, cpu_of_children() - cpu_begin, done.stdout)
        if done.returncode:
            raise BenchError(f"{RUNS[name]} failed:\n{done.stdout[-4000:]}")
        return sample

    def unchanged(self, name: str) -> Sample:
        sample = self.run(name)
        if not re.search(r"changed=0 ", sample.output):
            raise BenchError(f"{RUNS[name]} changed something:\n{sample.output[-4000:]}")
        return sample

    def remote_executions(self, name: str) -> int:
        return len(REMOTE_EXECUTION.findall(self.run(name, "-vvv").output))


def cpu_of_children() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def say(text: str) -> None:
    print(f"bench: {text}", file=sys.stderr, flush=True)


def measure(server: Server, rounds: int) -> dict:
    bench, poller = Bench(server), Poller(server.address, HOSTNAME, API_PATH, API_KEY)
    say("first install")
    begin = time.monotonic()
    first = bench.run("all")
    # Traefik looks at a new container every few seconds.
    if not poller.answers_within(ANSWER_SECONDS):
        raise BenchError(f"{API_PATH} does not answer after the first install: {poller.failure()}")
    first_answer = time.monotonic() - begin
    executions = {name: bench.remote_executions(name) for name in RUNS}
    before, load = server.invocations(), os.getloadavg()[0]
    samples: dict[str, list[Sample]] = {name: [] for name in RUNS}
    with poller:
        for number in range(rounds):
            for name in RUNS:
                samples[name].append(bench.unchanged(name))
            say(f"round {number + 1}: " + ", ".join(f"{name} {samples[name][-1].seconds:.2f} s" for name in RUNS))
    after = server.invocations()
    seconds = {name: [round(one.seconds, 3) for one in samples[name]] for name in RUNS}
    cpu = {name: [round(one.cpu_seconds, 3) for one in samples[name]] for name in RUNS}
    floor, service, everything = (statistics.median(seconds[name]) for name in RUNS)
    return {
        "floor_s": floor,
        "noop_service_s": service,
        "noop_all_s": everything,
        "service_to_floor": round(service / floor, 2),
        "all_to_floor": round(everything / floor, 2),
        "first_install_s": round(first.seconds, 1),
        "first_answer_s": round(first_answer, 1),
        "restarts": sum(before.get(unit) != after.get(unit) for unit in {*before, *after}),
        "failed_requests": len(poller.failures),
        "failures": sorted(set(poller.failures)),
        "requests": len(poller.durations),
        "slowest_request_s": round(max(poller.durations), 3),
        "remote_executions": executions,
        "samples_s": seconds,
        "cpu_samples_s": cpu,
        "rounds": rounds,
        "load_before": round(load, 2),
    }


def tables(figures: dict) -> list[Table]:
    times = Table(title=f"Nothing changed, {figures['rounds']} rounds, images: {figures['images']}")
    for column in ("Run", "Median", "Floors", "Wanted", "Lowest", "Highest", "CPU", "Remote executions"):
        times.add_column(column, justify="left" if column == "Run" else "right")
    for name, text in RUNS.items():
        samples = figures["samples_s"][name]
        median = statistics.median(samples)
        times.add_row(
            text,
            f"{median:.2f} s",
            f"{median / figures['floor_s']:.2f}",
            f"{WANTED[name]} or less" if name in WANTED else "",
            f"{min(samples):.2f} s",
            f"{max(samples):.2f} s",
            f"{statistics.median(figures['cpu_samples_s'][name]):.2f} s",
            str(figures["remote_executions"][name]),
        )
    others = Table(show_header=False)
    others.add_row(f"First install on {figures['server']}", f"{figures['first_install_s']} s")
    others.add_row("The same, until the API answers", f"{figures['first_answer_s']} s")
    others.add_row("Units restarted", str(figures["restarts"]))
    others.add_row("Requests to the API meanwhile", f"{figures['requests']}, slowest {figures['slowest_request_s']} s")
    others.add_row("Requests that failed", " ".join([str(figures["failed_requests"]), *figures["failures"]]))
    others.add_row("Load average before the rounds", str(figures["load_before"]))
    return [times, others]


def figures_of(options: argparse.Namespace) -> dict:
    directory = Path(os.environ.get("STATE_DIRECTORY", ".state")).resolve() / f"bench-{options.run}"
    server = Server(options.run, options.server, options.images, directory, backups.VALUES if options.backup else {})
    try:
        server.start()
        figures = backups.measure(server, options.events, say) if options.backup else measure(server, options.rounds)
        return {**figures, "images": options.images, "server": options.server}
    finally:
        if options.keep:
            say(f"kept the server, its inventory is {server.hosts}")
        else:
            server.end()


def main() -> int:
    options = parser().parse_args()
    try:
        figures = figures_of(options)
    except BenchError as error:
        print(f"bench: {error}", file=sys.stderr)
        return 1
    if options.json:
        print(json.dumps(figures, indent=2))
    else:
        console = Console()
        for table in (backups.tables if options.backup else tables)(figures):
            console.print(table)
    return 0


if __name__ == "__main__":
    sys.exit(main())
