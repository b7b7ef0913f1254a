# SPDX-FileCopyrightText: 2026 The selfhosting.lago authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""The network of the servers and the registry in it, so that a pull on a server is a real pull."""

from __future__ import annotations

import ipaddress
import json
import time
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from .catalogue import Image
from .shell import LABEL, SHARED, TestbedError, docker, lock, say

NETWORK = "selfhosting-test"
REGISTRY = "selfhosting-test-registry"
VOLUME = "selfhosting-test-registry"
REGISTRY_IMAGE = "selfhosting-test/registry:trixie"
PORT = 5000
# The first of these that the machine does not use yet. Not Docker's own 172.17.0.0/16 and following: the servers' own
# Docker takes those.
SUBNETS = [f"10.{second}.77.0/24" for second in range(213, 223)]
MANIFEST_TYPES = "application/vnd.docker.distribution.manifest.v2+json, application/vnd.oci.image.manifest.v1+json"


def ensure_network() -> ipaddress.IPv4Network:
    with lock("network"):
        if docker("network", "ls", "--quiet", "--filter", f"name=^{NETWORK}$") == "":
            create_network()
    return subnet()


def create_network() -> None:
    free = next((text for text in SUBNETS if not overlaps_a_route(ipaddress.ip_network(text))), None)
    if free is None:
        raise TestbedError(f"The machine has routes into all of {', '.join(SUBNETS)}.")
    docker(
        "network",
        "create",
        f"--label={LABEL}={SHARED}",
        f"--subnet={free}",
        # Packets larger than the machine's own way out would be lost between two layers of Docker.
        f"--opt=com.docker.network.driver.mtu={way_out_mtu()}",
        NETWORK,
    )


def subnet() -> ipaddress.IPv4Network:
    text = docker("network", "inspect", "--format", "{{(index .IPAM.Config 0).Subnet}}", NETWORK)
    return ipaddress.IPv4Network(text)


def overlaps_a_route(network: ipaddress.IPv4Network) -> bool:
    return any(network.overlaps(route) for route in routes() if route.prefixlen > 0)


def routes() -> list[ipaddress.IPv4Network]:
    """The kernel's table: addresses stand there as hexadecimal numbers in the machine's byte order."""
    found = []
    for line in Path("/proc/net/route").read_text().splitlines()[1:]:
        _device, destination, _gateway, _flags, _refs, _use, _metric, mask = line.split()[:8]
        address, netmask = (bytes.fromhex(value)[::-1] for value in (destination, mask))
        found.append(ipaddress.IPv4Network((address, str(ipaddress.IPv4Address(netmask)))))
    return found


def way_out_mtu() -> int:
    for line in Path("/proc/net/route").read_text().splitlines()[1:]:
        device, destination = line.split()[:2]
        if destination == "00000000":
            return int(Path(f"/sys/class/net/{device}/mtu").read_text())
    return 1500


def address() -> str:
    """Where the servers find the registry."""
    return f"{subnet()[2]}:{PORT}"


def ensure() -> None:
    network = ensure_network()
    with lock("registry"):
        state = docker("inspect", "--format", "{{.State.Running}} {{.Image}}", REGISTRY, check=False)
        wanted = docker("image", "inspect", "--format", "{{.Id}}", REGISTRY_IMAGE)
        if state != f"true {wanted}":
            start(network)
    wait_until_it_answers()


def start(network: ipaddress.IPv4Network) -> None:
    docker("rm", "--force", REGISTRY, check=False)
    docker("volume", "create", f"--label={LABEL}={SHARED}", VOLUME)
    docker(
        "run",
        "--detach",
        f"--name={REGISTRY}",
        f"--label={LABEL}={SHARED}",
        "--restart=unless-stopped",
        f"--network={NETWORK}",
        f"--ip={network[2]}",
        f"--volume={VOLUME}:/var/lib/docker-registry",
        # Docker trusts a registry without TLS on the loopback address only: pushes go there, pulls come by the network.
        f"--publish=127.0.0.1::{PORT}",
        REGISTRY_IMAGE,
    )


def push_address() -> str:
    published = docker("port", REGISTRY, f"{PORT}/tcp").splitlines()
    return published[0]


def wait_until_it_answers() -> None:
    deadline = time.monotonic() + 30
    while True:
        try:
            urllib.request.urlopen(f"http://{push_address()}/v2/", timeout=5).close()
            return
        except (OSError, TestbedError) as error:
            if time.monotonic() > deadline:
                raise TestbedError(f"The registry does not answer: {error}") from error
            time.sleep(0.2)


def push(images: list[Image]) -> None:
    with lock("push"), ThreadPoolExecutor(3) as pool:
        list(pool.map(push_one, [image for image in images if image.published]))


def push_one(image: Image) -> None:
    if docker("image", "inspect", "--format", "{{.Id}}", image.local_name) in ids_in_registry(image):
        return
    started = time.monotonic()
    target = f"{push_address()}/{image.repository}:{image.tag}"
    docker("tag", image.local_name, target)
    docker("push", "--quiet", target)
    docker("image", "rm", target)  # the name only: the image has its local one
    say(f"pushed {image.name} in {time.monotonic() - started:.0f} s")


def ids_in_registry(image: Image) -> set[str]:
    """What Docker would call the image it pulls: the digest of its configuration, or of its manifest."""
    request = urllib.request.Request(
        f"http://{push_address()}/v2/{image.repository}/manifests/{image.tag}", headers={"Accept": MANIFEST_TYPES}
    )
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return {answer.headers["Docker-Content-Digest"], json.load(answer)["config"]["digest"]}
    except urllib.error.HTTPError as error:
        if error.code == 404:
            return set()
        raise


def hub_answers() -> bool:
    """Docker Hub says 401 to whoever does not say who he is."""
    try:
        urllib.request.urlopen("https://registry-1.docker.io/v2/", timeout=5).close()
    except urllib.error.HTTPError as error:
        return error.code == 401
    except OSError:
        return False
    return True


def remove() -> None:
    """With its images."""
    docker("rm", "--force", "--volumes", REGISTRY, check=False)
    docker("volume", "rm", "--force", VOLUME, check=False)


def remove_network() -> None:
    """Docker keeps it while a server is in it."""
    docker("network", "rm", NETWORK, check=False)
