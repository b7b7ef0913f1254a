# SPDX-FileCopyrightText: 2026 The selfhosting.lago authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""What a server's Docker has from the start, as where it has run before: the images that it would pull or build first.

A server of its own does that in a volume, once for each Debian release. Other servers get the layers as hard links:
Docker adds directories to them and removes whole ones, and changes none.
"""

from __future__ import annotations

import hashlib

import jinja2
import yaml

from . import catalogue, servers
from .shell import LABEL, REPOSITORY, SHARED, docker, lock, say

RUN = "stock"
CONTENT = f"{LABEL}.content"
DATA = "/var/lib/docker"
# What Docker knows of its layers it rewrites, so that is a copy.
FILL = "cp --archive --link /volumes/{stock}/_data/overlay2 {to} && cp --archive /volumes/{stock}/_data/image {to}"


def volume_of(variant: str) -> str:
    return f"selfhosting-test-stock-{variant}"


def dockerfile() -> str:
    """The product's own: a server that builds it finds the layers in the cache."""
    defaults = yaml.safe_load((REPOSITORY / "roles/postgres/defaults/main.yml").read_text())
    major = catalogue.versions()["postgres"]
    template = jinja2.Template(defaults["postgres_container_image_dockerfile"])
    return template.render(postgres_version=major, postgres_container_image_base=f"docker.io/postgres:{major}-trixie")


def make(wanted: servers.Wanted, mirror: str) -> None:
    """Pull what servers of this kind start with, where that is not done or an image has changed."""
    images = [image for image in catalogue.load() if image.stock]
    volume = volume_of(wanted.variant)
    ids = docker("image", "inspect", "--format={{.Id}}", wanted.image, *(image.local_name for image in images))
    content = hashlib.sha256(f"{ids}{dockerfile()}".encode()).hexdigest()[:20]
    with lock(volume):
        label = f'{{{{index .Labels "{CONTENT}"}}}}'
        if docker("volume", "inspect", f"--format={label}", volume, check=False) == content:
            return
        servers.remove(RUN, [wanted.variant])
        docker("volume", "rm", "--force", f"{volume}-new", volume)
        docker("volume", "create", f"--label={LABEL}={SHARED}", f"{volume}-new")
        server = servers.create(RUN, servers.Wanted(wanted.variant, wanted.variant), mirror, f"{volume}-new:{DATA}")
        docker("start", server.container)
        servers.wait(server)
        for image in images:
            docker("exec", server.container, "docker", "pull", "--quiet", image.name)
        # Without a name: the server's own build gives it one.
        docker("exec", "--interactive", server.container, "docker", "build", "--quiet", "-", stdin=dockerfile())
        docker("stop", server.container)
        # Half of it would have no label.
        docker("volume", "create", f"--label={LABEL}={SHARED}", f"--label={CONTENT}={content}", volume)
        link(f"{volume}-new", volume)
        servers.remove(RUN, [wanted.variant])
        docker("volume", "rm", f"{volume}-new")
        say(f"pulled {len(images)} images for servers with {wanted.variant}")


def fill(server: servers.Server) -> None:
    """Give a new server, which does not run yet, what is in stock for its kind."""
    find = f'{{{{range .Mounts}}}}{{{{if eq .Destination "{DATA}"}}}}{{{{.Name}}}}{{{{end}}}}{{{{end}}}}'
    link(volume_of(server.image.rpartition(":")[2]), docker("inspect", f"--format={find}", server.container))


def link(stock: str, target: str) -> None:
    # One mount: there are no hard links between two.
    root = docker("info", "--format={{.DockerRootDir}}")
    command = FILL.format(stock=stock, to=f"/volumes/{target}/_data/")
    options = ["--rm", "--network=none", f"--volume={root}/volumes:/volumes"]
    docker("run", *options, f"{catalogue.DEBIAN}trixie", "sh", "-c", command)


def remove() -> None:
    docker("volume", "rm", "--force", *(volume_of(release) for release in ("bookworm", "trixie")))
