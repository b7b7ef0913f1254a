# SPDX-FileCopyrightText: 2026 The selfhosting.lago authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Pulls and builds with an invented `docker` on PATH: it does what files in its directory say."""

import builtins
import os
import shutil
import subprocess
import time
from types import SimpleNamespace

import pytest
from ansible_collections.selfhosting.lago.plugins.modules import server_images

DOCKER = """#!/bin/sh
cd {directory}
echo "$@" >>asked
if [ "$1" = build ]; then cat >dockerfile; reference=$3; else reference=$2; fi
name=$(echo "$reference" | tr /: __)
if [ -s "$name.sleep" ]; then sleep "$(cat "$name.sleep")"; fi
if [ -s "$name.faults" ]; then
  head -n 1 "$name.faults" >&2
  sed -i 1d "$name.faults"
  exit 1
fi
echo "$reference" >>images
"""


@pytest.fixture
def hasty(monkeypatch):
    """No time passes between two tries."""
    real = server_images.settle

    def settle(job, docker):
        state = real(job, docker)
        return "idle" if state == "waiting" else state

    monkeypatch.setattr(server_images, "settle", settle)


@pytest.fixture
def docker(tmp_path, monkeypatch):
    directory = tmp_path / "docker"
    (directory / "bin").mkdir(parents=True)
    program = directory / "bin" / "docker"
    program.write_text(DOCKER.format(directory=directory))
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")
    monkeypatch.setattr(server_images, "WORK_DIRECTORY", str(tmp_path / "work"))

    def image_ids():
        images = directory / "images"
        references = images.read_text().split() if images.exists() else []
        return {server_images.normal_reference(reference): "sha256:1" for reference in references}

    monkeypatch.setattr(server_images, "Docker", lambda: SimpleNamespace(image_ids=image_ids))
    (directory / "asked").touch()
    return directory


def asked(docker):
    return (docker / "asked").read_text().splitlines()


def test_pull(docker, run_module):
    answer = run_module(server_images, images=[{"reference": "a:1"}, {"reference": "docker.io/library/b:1"}])
    assert sorted(answer["done"]) == ["a:1", "docker.io/library/b:1"]
    assert (answer["changed"], answer["pending"]) == (True, {})
    assert sorted(asked(docker)) == ["pull a:1", "pull docker.io/library/b:1"]
    again = run_module(server_images, images=[{"reference": "a:1"}])
    assert (again["changed"], again["done"]) == (False, [])
    assert len(asked(docker)) == 2


@pytest.fixture
def repository(tmp_path):
    """A git repository with two versions of a Dockerfile; returns its path and the commit of the first."""
    path = tmp_path / "repository"
    (path / "9.1" / "alpine").mkdir(parents=True)

    def git(*words):
        name = ["-c", "user.name=a", "-c", "user.email=a@example.com"]
        return subprocess.run(["git", "-C", path, *name, *words], check=True, capture_output=True, text=True).stdout

    git("init", "--quiet", "--initial-branch=mainline")
    git("config", "uploadpack.allowAnySHA1InWant", "true")
    for text in ("first", "second"):
        (path / "9.1" / "alpine" / "Dockerfile").write_text(text)
        git("add", ".")
        git("commit", "--quiet", "--message", text)
    return path, git("rev-parse", "HEAD~1").strip()


def test_build_from_a_git_repository(docker, run_module, tmp_path, repository):
    path, first = repository
    there = tmp_path / "src"
    source = {"repository": str(path), "path": str(there), "directory": "9.1/alpine"}
    for number, (version, text) in enumerate([("mainline", "second"), (first, "first"), ("mainline", "second")]):
        image = {"reference": f"localhost/a:{number}", "source": {**source, "version": version}}
        assert run_module(server_images, images=[image])["done"] == [f"localhost/a:{number}"]
        assert asked(docker)[-1] == f"build --tag localhost/a:{number} {there}/9.1/alpine"
        assert (there / "9.1" / "alpine" / "Dockerfile").read_text() == text


def test_a_version_that_the_repository_does_not_have(docker, hasty, run_module, tmp_path, repository):
    path, _first = repository
    source = {"repository": str(path), "path": str(tmp_path / "src"), "directory": "9.1/alpine", "version": "nothing"}
    answer = run_module(server_images, images=[{"reference": "localhost/a:1", "source": source}])
    assert answer["msg"].startswith("localhost/a:1 cannot be built (tried 2x)")
    assert "nothing" in answer["msg"]
    assert asked(docker) == []


def test_no_git_is_said_at_once(docker, run_module, tmp_path, monkeypatch):
    for program in ("sh", "mv", "cat"):
        (docker / "bin" / program).symlink_to(shutil.which(program))
    monkeypatch.setenv("PATH", str(docker / "bin"))
    source = {"repository": "r", "path": str(tmp_path / "src"), "directory": "d", "version": "v"}
    answer = run_module(server_images, images=[{"reference": "localhost/a:1", "source": source}])
    assert "(tried 1x)" in answer["msg"]
    assert answer["msg"].endswith("there is no git on the server: apt-get install git")


def test_build(docker, run_module):
    answer = run_module(server_images, images=[{"reference": "localhost/a:1", "dockerfile": "FROM b\n"}])
    assert answer["done"] == ["localhost/a:1"]
    assert asked(docker) == ["build --tag localhost/a:1 -"]
    assert (docker / "dockerfile").read_text() == "FROM b\n"


def test_check_mode_pulls_nothing(docker, run_module):
    answer = run_module(server_images, check_mode=True, images=[{"reference": "a:1"}])
    assert answer["changed"]
    assert asked(docker) == []


def test_a_fault_of_the_network_is_tried_again(docker, run_module, hasty):
    (docker / "a_1.faults").write_text("dial tcp: lookup registry: i/o timeout\n" * 2)
    assert run_module(server_images, images=[{"reference": "a:1"}], patience=60)["done"] == ["a:1"]
    assert asked(docker) == ["pull a:1"] * 3


@pytest.mark.parametrize(
    "fault", ["manifest unknown: manifest unknown", "Error: No such image: not found", "pull access denied for a"]
)
def test_an_image_that_does_not_exist_fails_at_once(docker, run_module, fault):
    (docker / "a_1.faults").write_text(f"{fault}\n" * 9)
    answer = run_module(server_images, images=[{"reference": "a:1"}, {"reference": "b:1"}])
    assert answer["failed"]
    assert answer["msg"] == f"a:1 cannot be pulled (tried 1x). Docker says: {fault}"
    assert asked(docker).count("pull a:1") == 1


def test_a_network_that_stays_away_fails_in_the_end(docker, run_module, hasty):
    (docker / "a_1.faults").write_text("timeout\n" * 9)
    answer = run_module(server_images, images=[{"reference": "a:1"}], patience=60)
    assert answer["msg"] == f"a:1 cannot be pulled (tried {server_images.TRIES}x). Docker says: timeout"
    assert len(asked(docker)) == server_images.TRIES


def test_a_build_is_tried_twice(docker, run_module, hasty):
    (docker / "a_1.faults").write_text("apt-get failed\n" * 9)
    answer = run_module(server_images, images=[{"reference": "a:1", "dockerfile": "FROM b"}], patience=60)
    assert answer["msg"].startswith("a:1 cannot be built (tried 2x)")


def test_a_later_call_finds_the_pull_of_an_earlier_one(docker, run_module):
    (docker / "a_1.sleep").write_text("4")
    begin = time.monotonic()
    first = run_module(server_images, images=[{"reference": "a:1"}], patience=0)
    assert time.monotonic() - begin < 3.5
    assert (first["done"], list(first["pending"])) == ([], ["a:1"])
    assert run_module(server_images, images=[{"reference": "a:1"}], patience=20)["done"] == ["a:1"]
    assert asked(docker) == ["pull a:1"]


def test_no_more_than_three_at_a_time(docker, run_module):
    images = [{"reference": f"{name}:1"} for name in "abcde"]
    for image in images:
        (docker / f"{image['reference'].replace(':', '_')}.sleep").write_text("1")
    run_module(server_images, images=images, patience=0)
    deadline = time.monotonic() + 20
    while len(asked(docker)) < 3 and time.monotonic() < deadline:
        time.sleep(0.05)
    # By now a fourth would have been asked for as well.
    time.sleep(0.2)
    assert len(asked(docker)) == 3
    assert len(run_module(server_images, images=images, patience=20)["done"]) == 5


def job(tmp_path, monkeypatch, **files):
    monkeypatch.setattr(server_images, "WORK_DIRECTORY", str(tmp_path))
    made = server_images.Job({"reference": "a:1"})
    for suffix, text in files.items():
        made.write(suffix, text)
    return made


THERE = SimpleNamespace(image_ids=lambda: {"a:1": "sha256:1"})
MISSING = SimpleNamespace(image_ids=dict)


@pytest.mark.parametrize(
    ("files", "docker", "expected"),
    [
        ({}, MISSING, "idle"),
        ({"status": "0", "tries": "1"}, THERE, "done"),
        ({"status": "0", "tries": "1"}, MISSING, "waiting"),
        ({"status": "1", "tries": "1", "out": "timeout"}, MISSING, "waiting"),
        (
            {"status": "1", "tries": "4", "out": "timeout"},
            MISSING,
            "a:1 cannot be pulled (tried 4x). Docker says: timeout",
        ),
        ({"pid": str(os.getpid())}, MISSING, "idle"),
        ({"pid": "nonsense"}, MISSING, "idle"),
    ],
)
def test_settle(tmp_path, monkeypatch, files, docker, expected):
    made = job(tmp_path, monkeypatch, **files)
    assert server_images.settle(made, docker) == expected
    if expected not in ("idle", "running", "waiting"):
        assert list(tmp_path.iterdir()) == []


def test_a_process_that_has_just_begun_is_running(tmp_path, monkeypatch):
    """Its command line is still empty then; that of an ended one is, too."""
    process = subprocess.Popen(["sleep", "30"])
    made = job(tmp_path, monkeypatch, pid=str(process.pid))
    real = open
    empty = tmp_path / "empty"
    empty.touch()
    monkeypatch.setattr(
        builtins, "open", lambda path, *a, **k: real(empty if str(path).endswith("cmdline") else path, *a, **k)
    )
    assert made.running()
    process.kill()
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    assert not made.running()
    process.wait()
    assert not made.running()


@pytest.mark.parametrize(("age", "expected"), [(1, "waiting"), (3, "waiting"), (5, "idle")])
def test_tries_are_some_seconds_apart(tmp_path, monkeypatch, age, expected):
    made = job(tmp_path, monkeypatch, status="1", tries="2", out="timeout")
    os.utime(made.path("status"), (time.time() - age,) * 2)
    assert server_images.settle(made, MISSING) == expected


def test_progress_is_the_last_line(tmp_path, monkeypatch):
    assert job(tmp_path, monkeypatch, out="one\ntwo  \n\n").last_line() == "two"
    assert job(tmp_path, monkeypatch, out="").last_line() == ""
