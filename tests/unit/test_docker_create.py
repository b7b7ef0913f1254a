# SPDX-FileCopyrightText: 2026 The selfhosting.lago authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Docker accepts the container of every golden unit: made from an empty image, never started."""

import io
import json
import re
import shutil
import subprocess
import tarfile
import uuid

import pytest
from unit import golden_files
from virtual_host import PRODUCTS

pytestmark = pytest.mark.docker
# A unit may also be a timer, or run a program of the server's.
UNITS = [
    (product, name)
    for product in PRODUCTS
    for name, unit in golden_files.units(product).items()
    if name.endswith(".service") and "/docker create" in unit
]


DOCKER = "/usr/bin/docker"


def docker(*arguments, stdin=None):
    done = subprocess.run(["docker", *arguments], capture_output=True, input=stdin)
    assert done.returncode == 0, f"docker {' '.join(arguments)}: {done.stderr.decode()}"
    return done.stdout.decode().strip()


def words(line):
    """A command line as systemd reads it: double and single quotes, backslashes, $$ and %%."""
    found = []
    for match in re.finditer(r"""(?:[^\s"']|"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*')+""", line):
        text = re.sub(
            r'"((?:\\.|[^"\\])*)"|\'((?:\\.|[^\'\\])*)\'', lambda quoted: quoted[1] or quoted[2] or "", match[0]
        )
        found.append(re.sub(r"\\(.)", r"\1", text).replace("$$", "$").replace("%%", "%"))
    return found


def commands(unit):
    """The arguments of each `docker` that makes the container."""
    lines = unit.replace("\\\n", " ").splitlines()
    called = [words(line.partition("=")[2]) for line in lines if line.startswith("ExecStartPre=")]
    # Some are called by the program that looks which image went through the migration.
    return [command[command.index(DOCKER) + 1 :] for command in called if DOCKER in command]


@pytest.fixture(scope="module")
def image():
    if not shutil.which("docker") or subprocess.run(["docker", "info"], capture_output=True).returncode:
        pytest.fail("no Docker engine answers: bin/testbed up, or pytest -m 'not docker' for the other tests")
    empty = io.BytesIO()
    tarfile.open(fileobj=empty, mode="w").close()
    made = docker("import", "--change=CMD nothing", "-", stdin=empty.getvalue())
    yield made
    docker("image", "rm", made)


@pytest.fixture(scope="module")
def networks():
    """Makes a network of the test for each name that a unit asks for."""
    made = {}

    def network(name):
        if name not in made:
            made[name] = docker("network", "create", f"golden-{uuid.uuid4().hex[:12]}")
        return made[name]

    yield network
    for made_id in made.values():
        docker("network", "rm", made_id)


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """All golden files below one directory, and the other paths that are mounted."""
    root = tmp_path_factory.mktemp("server")
    for product in PRODUCTS:
        for name, content in golden_files.stored(product).items():
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).write_text(content)
        for line in (golden_files.GOLDEN / product / golden_files.LIST).read_text().splitlines():
            kind, *words = line.split()
            if kind == "directory":
                (root / words[2].lstrip("/")).mkdir(parents=True, exist_ok=True)
            elif kind == "file":
                path = root / words[2].lstrip("/")
                path.parent.mkdir(parents=True, exist_ok=True)
                path.touch()
    return root


def lines_of(server, arguments, option):
    """All lines of the files that an option names."""
    files = [word.removeprefix(option) for word in arguments if word.startswith(option)]
    return {line for file in files for line in (server / file.lstrip("/")).read_text().splitlines()}


@pytest.mark.parametrize(("product", "name"), UNITS, ids=lambda value: value)
def test_docker_accepts_the_container(product, name, image, networks, server):
    create, *connect = commands(golden_files.units(product)[name])
    reference = next(word for word in create[1:] if not word.startswith("-"))
    arguments = []
    for word in create:
        if word.startswith("--network="):
            word = f"--network={networks(word.partition('=')[2])}"
        elif word.startswith("--name="):
            word = f"--name=golden-{uuid.uuid4().hex[:12]}"
        elif word == reference:
            word = image
        arguments.append(re.sub(r"(^|=)/mash/", rf"\1{server}/mash/", word))
    assert image in arguments
    container = docker(*arguments)
    try:
        for command in connect:
            assert command[:2] == ["network", "connect"]
            docker("network", "connect", networks(command[2]), container)
        (made,) = json.loads(docker("container", "inspect", container))
    finally:
        docker("container", "rm", container)
    host, config = made["HostConfig"], made["Config"]
    assert host["ReadonlyRootfs"]
    assert host["CapDrop"] == ["ALL"]
    assert host["SecurityOpt"] == ["no-new-privileges"]
    assert host["LogConfig"]["Type"] == "none"
    assert config["User"]
    command = create[create.index(reference) + 1 :]
    assert not command or config["Cmd"] == command
    assert len(made["NetworkSettings"]["Networks"]) == 1 + len(connect)
    assert lines_of(server, create, "--env-file=") <= set(config["Env"] or [])
    assert lines_of(server, create, "--label-file=") == {
        f"{name}={value}" for name, value in (config["Labels"] or {}).items()
    }


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("a  b", ["a", "b"]),
        ('-g "daemon off;" end', ["-g", "daemon off;", "end"]),
        (r'"a \"b\" \\ $$HOME 50%%"', ['a "b" \\ $HOME 50%']),
        ('--x="a b" ""', ["--x=a b", ""]),
    ],
)
def test_words(line, expected):
    assert words(line) == expected
