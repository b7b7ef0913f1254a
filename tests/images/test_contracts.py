# SPDX-FileCopyrightText: 2026 The selfhosting.lago authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Images are what tests/image-contracts.yml says of them."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

REPOSITORY = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(REPOSITORY / "molecule"))

from testbed import catalogue  # noqa: E402
from testbed.shell import LABEL, docker  # noqa: E402

CONTRACTS: dict[str, dict] = yaml.safe_load((REPOSITORY / "tests" / "image-contracts.yml").read_text())["contracts"]
READY_SECONDS = 60
STARTS = [(name, start) for name, contract in CONTRACTS.items() for start in contract.get("starts", {})]

# As the product's units do; a way of starting adds what it needs.
HARDENED = ["--read-only", "--cap-drop=ALL", "--security-opt=no-new-privileges"]


@pytest.fixture
def image(request: pytest.FixtureRequest, contract: dict) -> str:
    """What to start: the public name, or under which the stand-in is kept on this machine."""
    known = {name: str(value) for name, value in catalogue.versions().items()}
    public = contract["image"].format(**known)
    if request.config.getoption("--images") == "public":
        return public
    return catalogue.LOCAL + public.removeprefix("docker.io/")


@pytest.mark.parametrize("contract", CONTRACTS.values(), ids=CONTRACTS.keys())
def test_configuration(image: str, contract: dict) -> None:
    if not docker("image", "ls", "--quiet", image):
        docker("pull", "--quiet", image)
    config = json.loads(docker("image", "inspect", image))[0]["Config"]
    for key, wanted in contract["config"].items():
        found = config.get(key)
        if key in ("ExposedPorts", "Volumes"):
            found = sorted(found or {})
        if key == "Env":
            assert set(wanted) <= set(found)
        else:
            assert (found or type(wanted)()) == wanted, key


@pytest.mark.parametrize("contract", CONTRACTS.values(), ids=CONTRACTS.keys())
def test_what_is_inside(image: str, contract: dict) -> None:
    """One container answers all questions about tools, users and paths."""
    questions = [f'command -v {tool} >/dev/null || echo "no {tool}"' for tool in contract.get("tools", [])]
    for user, ids in contract.get("users", {}).items():
        questions.append(f'[ "$(id -u {user}):$(id -g {user})" = {ids} ] || echo "{user} is $(id {user})"')
    for path, wanted in contract.get("paths", {}).items():
        questions.append(
            f'[ "$(stat -Lc "%u:%g %a" {path})" = "{wanted}" ] || echo "{path} is $(stat -Lc "%u:%g %a" {path})"'
        )
    script = "\n".join(questions)
    assert docker("run", "--rm", "--user=0", f"--label={LABEL}=tests", "--entrypoint=sh", image, "-c", script) == ""


@pytest.fixture
def container(image: str, contract: dict, start: str, tmp_path: Path) -> Iterator[str]:
    way = contract["starts"][start]
    tmp_path.chmod(0o755)
    for name, content in way.get("files", {}).items():
        (tmp_path / name).write_text(content)
    options = [option.replace("{files}", str(tmp_path)) for option in way["options"]]
    made = docker("run", "--detach", f"--label={LABEL}=tests", *HARDENED, *options, image, *way.get("command", []))
    yield made
    docker("rm", "--force", "--volumes", made)


@pytest.mark.parametrize(
    ("contract", "start"), [(CONTRACTS[name], start) for name, start in STARTS], ids=map("-".join, STARTS)
)
def test_start_and_stop(container: str, contract: dict, start: str) -> None:
    way = contract["starts"][start]
    if "ends_by_itself_with" in way:
        assert int(docker("wait", container)) in way["ends_by_itself_with"], log(container)
    if "probe" in way:
        wait_until_ready(container, way["probe"])
    if "says" in way:
        wait_for_line(container, way["says"])
    if "ends_with" in way:
        docker("stop", "--time=30", container)
        ended = int(docker("inspect", "--format", "{{.State.ExitCode}}", container))
        assert ended in way["ends_with"], log(container)


def wait_until_ready(container: str, probe: list[str] | str) -> None:
    deadline = time.monotonic() + READY_SECONDS
    while (complaint := ask(container, probe)) is not None:
        running = docker("inspect", "--format", "{{.State.Running}}", container) == "true"
        if not running or time.monotonic() > deadline:
            pytest.fail(f"not ready: {complaint}\n{log(container)}")
        time.sleep(0.2)


def ask(container: str, probe: list[str] | str) -> str | None:
    """What is not as it should be, or nothing."""
    if isinstance(probe, list):
        answer = subprocess.run(["docker", "exec", container, *probe], check=False, capture_output=True, text=True)
        return None if answer.returncode == 0 else answer.stdout + answer.stderr
    _http, port, path = probe.split()
    address = docker("inspect", "--format", "{{.NetworkSettings.IPAddress}}", container)
    try:
        urllib.request.urlopen(f"http://{address}:{port}{path}", timeout=2).close()
    except OSError as error:
        return str(error)
    return None


def wait_for_line(container: str, pattern: str) -> None:
    deadline = time.monotonic() + READY_SECONDS
    while not re.search(pattern, log(container)):
        assert time.monotonic() < deadline, f"no line matches {pattern!r}:\n{log(container)}"
        time.sleep(0.2)


def log(container: str) -> str:
    """The end of both outputs of the container."""
    done = subprocess.run(["docker", "logs", container], check=True, capture_output=True, text=True)
    return (done.stdout + done.stderr)[-3000:]
