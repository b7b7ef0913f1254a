# SPDX-FileCopyrightText: 2026 The selfhosting.lago authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""What each container and each unit may do: as Docker, the kernel and systemd say it."""

import json
import re

import pytest
import yaml
from verify import inside
from verify.plays import REPOSITORY

PROXY = "mash-container-socket-proxy"
# systemd's own figure from 0 (closed) to 10. What is left is what a client of Docker needs: root, files, its socket.
MOST_EXPOSURE = 2.5
# Linux: include/uapi/linux/seccomp.h, a filter is at work.
SECCOMP_MODE_FILTER = "2"
# What listens inside containers and is nobody's business outside.
SERVED = {"mash-postgres": 5432, "mash-valkey": 6379, "mash-lago-pdf": 3000, PROXY: 2375}
VERSIONS = yaml.safe_load((REPOSITORY / "versions.yml").read_text())["mash_playbook_versions"]


@pytest.fixture(scope="module")
def containers(host):
    return inside.containers(host)


@pytest.fixture(scope="module")
def processes(host, containers):
    """Name of the container to the status of each of its processes, as the kernel tells it; in one call."""
    names = {container["Id"]: name for name, container in containers.items()}
    # Some end meanwhile.
    text = host.run("grep --no-messages --with-filename . /proc/[0-9]*/status").stdout
    groups = host.run("grep --no-messages docker /proc/[0-9]*/cgroup").stdout
    owner = {}
    for line in groups.splitlines():
        for identity, name in names.items():
            if identity in line:
                owner[line.split("/")[2]] = name
    found = {name: {} for name in containers}
    for line in text.splitlines():
        path, _colon, rest = line.partition(":")
        pid = path.split("/")[2]
        if pid in owner and ":\t" in rest:
            found[owner[pid]].setdefault(pid, {}).update([rest.split(":\t", 1)])
    for name, container in containers.items():
        assert str(container["State"]["Pid"]) in found[name], name
    return {name: list(statuses.values()) for name, statuses in found.items()}


def test_there_is_something_to_look_at(host, containers):
    assert {f"{name}.service" for name in containers} == set(inside.installed_units(host))
    assert len(containers) >= 9


def test_what_docker_says(containers):
    for name, container in containers.items():
        settings = container["HostConfig"]
        assert settings["ReadonlyRootfs"], name
        assert not settings["Privileged"], name
        assert (settings["CapDrop"], settings["CapAdd"] or []) == (["ALL"], []), name
        assert settings["SecurityOpt"] == ["no-new-privileges"], name
        assert (settings["PidMode"], settings["UTSMode"], settings["UsernsMode"]) == ("", "", ""), name
        assert settings["IpcMode"] == "private", name
        assert settings["NetworkMode"] not in ("host", "bridge", "default"), name
        assert (settings["Devices"] or [], settings["VolumesFrom"] or []) == ([], []), name
        assert settings["LogConfig"]["Type"] == "none", name


def test_limits(containers):
    for name, container in containers.items():
        settings = container["HostConfig"]
        assert settings["Memory"] >= 256 * 1024**2, name
        assert 0 < settings["PidsLimit"] <= 4096, name
        assert settings["Tmpfs"], name
        for path, options in settings["Tmpfs"].items():
            assert re.search(r"(^|,)size=\d+[km]", options), f"{name} {path}"
            assert "nosuid" in options.split(","), f"{name} {path}"


def test_only_its_own_directories_are_writable(containers):
    writable = {
        (name, mount["Source"])
        for name, container in containers.items()
        for mount in container["Mounts"]
        if mount["RW"] and mount["Type"] != "tmpfs"
    }
    lago = {(name, "/mash/lago/data") for name in containers if name.startswith("mash-lago-api")}
    assert writable - {("mash-container-socket-proxy", "/var/run/docker.sock")} == lago | {
        ("mash-postgres", "/mash/postgres/data"),
        ("mash-postgres", "/mash/postgres/run"),
        ("mash-traefik", "/mash/traefik/ssl"),
        ("mash-valkey", "/mash/valkey/data"),
        ("mash-valkey", "/mash/valkey/run"),
    }


def test_the_docker_socket_is_nowhere_that_faces_the_internet(host, containers):
    with_socket = [name for name, container in containers.items() if "docker.sock" in json.dumps(container["Mounts"])]
    assert with_socket == [PROXY]
    settings = containers[PROXY]
    assert not any(settings["NetworkSettings"]["Ports"].values())
    assert list(settings["NetworkSettings"]["Networks"]) == [PROXY]
    (network,) = json.loads(host.check_output("docker network inspect %s", PROXY))
    assert network["Internal"]
    members = {one["Name"] for one in network["Containers"].values()}
    assert members == {PROXY, "mash-traefik"}


def test_images_are_pinned(containers):
    for name, container in containers.items():
        tag = container["Config"]["Image"].rpartition("/")[2].partition(":")[2]
        assert any(tag.startswith((version, version.lstrip("v"))) for version in VERSIONS.values()), name
        assert tag != "latest", name


def test_what_the_kernel_says(processes):
    for name, statuses in processes.items():
        assert statuses, name
        for status in statuses:
            where = f"{name} {status['Name']}"
            uids, gids = set(status["Uid"].split()), set(status["Gid"].split())
            # Root in name only: without a capability it is the owner of the socket and nothing more.
            assert name == PROXY or "0" not in uids, where
            assert name == PROXY or "0" not in gids | set(status["Groups"].split()), where
            for capabilities in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"):
                assert int(status[capabilities], 16) == 0, f"{where} {capabilities}"
            assert status["NoNewPrivs"] == "1", where
            assert status["Seccomp"] == SECCOMP_MODE_FILTER, where


def test_a_container_cannot_write_to_its_root(host, containers):
    pids = {str(container["State"]["Pid"]): name for name, container in containers.items()}
    lines = host.check_output(f"grep ' / / ' {' '.join(f'/proc/{pid}/mountinfo' for pid in pids)}").splitlines()
    options = {pids[line.split("/")[2]]: line.split()[5].split(",") for line in lines}
    assert set(options) == set(containers)
    assert [name for name, found in options.items() if "ro" not in found] == []


def test_what_systemd_says(host):
    lines = host.check_output("systemd-analyze security --no-pager").splitlines()
    found = {line.split()[0]: float(line.split()[1]) for line in lines if line.startswith("mash-")}
    assert set(found) >= set(inside.installed_units(host))
    assert {unit: figure for unit, figure in found.items() if figure > MOST_EXPOSURE} == {}


def test_a_unit_may_not_write_to_the_server(host):
    """The sandbox is at work: asked from inside the unit's own client of Docker."""
    pid = inside.properties(host, "mash-traefik.service", "MainPID")["MainPID"]
    status = dict(
        line.split(":\t", 1) for line in host.check_output("cat /proc/%s/status", pid).splitlines() if ":\t" in line
    )
    assert int(status["CapBnd"], 16) == 1 << 2  # CAP_DAC_READ_SEARCH
    assert (status["NoNewPrivs"], status["Seccomp"]) == ("1", SECCOMP_MODE_FILTER)
    done = host.run("nsenter --target %s --mount touch /etc/written /usr/written /mash/written", pid)
    assert done.stderr.count("Read-only file system") == 3, done.stderr


# Tries in the network of each container which of the addresses it reaches; all at the same time.
REACH = """
import concurrent.futures, json, socket, subprocess, sys
def ask(task):
    name, pid, address, port = task
    program = f"import socket; socket.create_connection(({address!r}, {port}), 3)"
    done = subprocess.run(["nsenter", "--target", pid, "--net", "python3", "-c", program], stderr=subprocess.DEVNULL)
    return [name, address, port, done.returncode == 0]
with concurrent.futures.ThreadPoolExecutor(8) as threads:
    print(json.dumps(list(threads.map(ask, json.loads(sys.argv[1])))))
"""


def addresses(container) -> list[str]:
    return [network["IPAddress"] for network in container["NetworkSettings"]["Networks"].values()]


@pytest.fixture(scope="module")
def reached(host, containers):
    """Pairs of a container and what it reaches: the port of another, or the server itself."""
    targets = {address: (name, port) for name, port in SERVED.items() for address in addresses(containers[name])}
    gateway = host.check_output("ip -4 -o addr show eth0").split()[3].split("/")[0]
    targets[gateway] = ("the server", 80)
    tasks = [
        (name, str(container["State"]["Pid"]), address, port)
        for name, container in containers.items()
        for address, (_target, port) in targets.items()
        if address not in addresses(container)
    ]
    answers = json.loads(host.check_output("python3 -c %s %s", REACH, json.dumps(tasks)))
    return {(name, targets[address][0]) for name, address, _port, answered in answers if answered}


@pytest.mark.parametrize("database", ["mash-postgres", "mash-valkey"])
def test_databases_are_reached_by_those_that_need_them(containers, reached, database):
    from_where = {name for name, target in reached if target == database}
    assert from_where == {"mash-lago-api", "mash-lago-api-worker", "mash-lago-api-clock"}
    assert not any(containers[database]["NetworkSettings"]["Ports"].values())


def test_the_pdf_maker_has_no_way_out(host, containers, reached):
    """Its network has no route; the others reach the server's own address."""
    assert ("mash-lago-api", "the server") in reached
    assert [target for name, target in reached if name == "mash-lago-pdf"] == []
    pid = str(containers["mash-lago-pdf"]["State"]["Pid"])
    assert "default" not in host.check_output("nsenter --target %s --net ip route", pid)
    from_where = {name for name, target in reached if target == "mash-lago-pdf"}
    assert from_where == {"mash-lago-api", "mash-lago-api-worker", "mash-lago-api-clock"}


def test_only_traefik_reaches_the_socket_proxy(reached):
    assert {name for name, target in reached if target == PROXY} == {"mash-traefik"}


def test_telemetry_is_off(containers):
    for name in ("mash-lago-api", "mash-lago-api-worker", "mash-lago-api-clock"):
        assert "LAGO_DISABLE_SEGMENT=true" in containers[name]["Config"]["Env"], name
        assert not [one for one in containers[name]["Config"]["Env"] if one.startswith(("SENTRY_DSN", "OTEL_EXPORTER"))]
