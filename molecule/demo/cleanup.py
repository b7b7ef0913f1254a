# SPDX-FileCopyrightText: 2026 The selfhosting.lago authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Removes what the demo has made, and nothing that was there before or that others use meanwhile."""

from __future__ import annotations

import shutil

from testbed import engine, registry, servers
from testbed.shell import default_state_directory, docker, say

from . import state
from .state import RUN, Demo


def down(keep_images: bool) -> None:
    demo = state.read()
    if demo is None and not engine.answers():
        say("there is no demo")
        return
    if not engine.answers():
        say("starting Docker to remove what is in it")
        engine.ensure()
        demo.made_engine = True
    servers.remove(RUN, [])
    if demo is None:
        say("there is nothing else of a demo")
        return
    others = sorted(f"{one.run}/{one.name}" for one in servers.list_servers())
    if others:
        say(f"kept registry, network and images: in use by {', '.join(others)}")
    else:
        remove_shared(demo, keep_images)
    remove_state(demo, keep_everything=bool(others))
    say("Debian packages that were installed and .venv stay")


def remove_shared(demo: Demo, keep_images: bool) -> None:
    if demo.made_registry:
        registry.remove()
        say("removed the registry")
    if demo.made_network:
        registry.remove_network()
        say("removed the network")
    if keep_images:
        say(f"kept {len(demo.made_images)} images")
    else:
        # The last made first: a base goes after what stands on it.
        removed = [name for name in reversed(demo.made_images) if docker("image", "rm", name, check=False)]
        say(f"removed {len(removed)} images")
    if demo.made_engine and engine.started_by_us():
        if docker("ps", "--all", "--quiet"):
            say("Docker keeps running: it has containers that are not the demo's")
        else:
            engine.stop()


def remove_state(demo: Demo, keep_everything: bool) -> None:
    shutil.rmtree(state.directory())
    if demo.made_state and not keep_everything and not engine.started_by_us():
        shutil.rmtree(default_state_directory())
    say(f"removed {state.directory()}")
