# SPDX-FileCopyrightText: 2026 The selfhosting.lago authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""What on a server nobody needs any more once some units are gone. Standard library only, Python 3.9 and newer."""

from __future__ import annotations

import os
import re

from ansible_collections.selfhosting.lago.plugins.module_utils.engine import UNIT_DIRECTORY, normal_reference


def other_units(leaving, directory=UNIT_DIRECTORY):
    """The text of every unit that stays, ours or not: what it names it needs, also while it does not run."""
    texts = []
    for name in sorted(os.listdir(directory)) if os.path.isdir(directory) else []:
        path = os.path.join(directory, name)
        if name.endswith(".service") and name not in leaving and os.path.isfile(path):
            with open(path, encoding="utf-8", errors="replace") as file:
                texts.append(file.read())
    return "\n".join(texts)


def other_containers(containers, leaving):
    """Containers that stay, running or not."""
    names = {unit.rsplit(".", 1)[0] for unit in leaving}
    return [container for name, container in containers.items() if name not in names]


def unused_networks(wanted, networks, containers, units_text):
    """Those of `wanted` that are there and that neither a container nor a unit that stays is attached to."""
    used = {network for container in containers for network in container["networks"]}
    return [
        name
        for name in wanted
        if name in networks
        and name not in used
        and not re.search(rf"(--net(work)?[= ]|network connect )\s*{re.escape(name)}(?![\w.-])", units_text)
    ]


def unused_images(wanted, image_ids, containers, units_text):
    """Those of `wanted` that are there and that neither a container nor a unit that stays is made from."""
    used = {container["image_id"] for container in containers}
    return [
        reference
        for reference in wanted
        if normal_reference(reference) in image_ids
        and image_ids[normal_reference(reference)] not in used
        and not re.search(rf"(?<![\w./:-]){re.escape(reference)}(?![\w.-])", units_text)
    ]
