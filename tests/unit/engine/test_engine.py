# SPDX-FileCopyrightText: 2026 The selfhosting.lago authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""What the modules ask of Docker and systemd."""

import builtins
import hashlib
import http.server
import json
import socketserver
import threading

import pytest
from ansible_collections.selfhosting.lago.plugins.module_utils import engine


@pytest.mark.parametrize(
    ("reference", "expected"),
    [
        ("docker.io/traefik:v3", "traefik:v3"),
        ("docker.io/library/traefik:v3", "traefik:v3"),
        ("index.docker.io/library/postgres:17-trixie", "postgres:17-trixie"),
        ("docker.io/getlago/api:v1.52.1", "getlago/api:v1.52.1"),
        ("valkey/valkey", "valkey/valkey:latest"),
        ("localhost:5000/a", "localhost:5000/a:latest"),
        ("localhost:5000/library/a:1", "localhost:5000/library/a:1"),
        ("localhost/a:1", "localhost/a:1"),
        ("docker.io/library/a@sha256:00", "a@sha256:00"),
        ("localhost:5000/a:1@sha256:00", "localhost:5000/a@sha256:00"),
    ],
)
def test_normal_reference(reference, expected):
    assert engine.normal_reference(reference) == expected
    assert engine.normal_reference(expected) == expected


def test_keyed_digest():
    assert engine.keyed_digest("k", b"a") == engine.keyed_digest("k", b"a")
    assert len({engine.keyed_digest("k", b"a"), engine.keyed_digest("k", b"b"), engine.keyed_digest("l", b"a")}) == 3
    assert engine.keyed_digest("k", b"a") != hashlib.sha256(b"a").hexdigest()


@pytest.fixture
def docker_api(tmp_path):
    """An Engine API on a socket that answers what the test puts into a dictionary."""
    answers = {}

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            status, body = answers.get(self.path, (404, {"message": "no such thing"}))
            text = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        def log_message(self, *_arguments):
            pass

        def address_string(self):
            return "socket"

    path = str(tmp_path / "docker.sock")
    server = socketserver.ThreadingUnixStreamServer(path, Handler)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    yield answers, engine.Docker(path)
    server.shutdown()
    server.server_close()


def test_docker(docker_api):
    answers, docker = docker_api
    answers["/images/json"] = (
        200,
        [
            {"Id": "sha256:1", "RepoTags": ["getlago/api:v1"], "RepoDigests": ["getlago/api@sha256:a"]},
            {"Id": "sha256:2", "RepoTags": None, "RepoDigests": None},
        ],
    )
    answers["/containers/json?all=1"] = (
        200,
        [
            {
                "Names": ["/a"],
                "State": "running",
                "ImageID": "sha256:1",
                "NetworkSettings": {"Networks": {"mash": {"Aliases": None}}},
            }
        ],
    )
    endpoint = {"Aliases": ["redis", "0123456789ab"]}
    answers["/containers/a/json"] = (200, {"NetworkSettings": {"Networks": {"mash": endpoint, "other": {}}}})
    answers["/networks"] = (200, [{"Name": "mash"}])
    answers["/broken"] = (500, {"message": "on fire"})
    assert docker.image_ids() == {"getlago/api:v1": "sha256:1", "getlago/api@sha256:a": "sha256:1"}
    assert {name: seen["image_id"] for name, seen in docker.containers().items()} == {"a": "sha256:1"}
    assert list(docker.networks()) == ["mash"]
    assert docker.containers()["a"]["networks"] == ["mash"]
    assert docker.aliases(["a", "nothing"]) == {"redis": ["mash"], "0123456789ab": ["mash"]}
    assert docker.container("nothing") is None
    with pytest.raises(engine.EngineError, match=r"500 .*/broken.*on fire"):
        docker.get("/broken")


def test_no_docker(tmp_path):
    docker = engine.Docker(str(tmp_path / "nothing.sock"))
    assert docker.image_ids() == docker.networks() == docker.containers() == {}


def test_run():
    assert engine.run(["sh", "-c", "cat; echo $LC_ALL"], stdin="in ").stdout == "in C\n"
    with pytest.raises(engine.EngineError, match=r"sh -c .* ended with 3: bad"):
        engine.run(["sh", "-c", "echo bad >&2; exit 3"])
    assert engine.run(["false"], check=False).returncode == 1


def test_show_units(commands):
    output = "Id=a.service\nActiveState=active\n\nId=alias.service\nActiveState=failed\nResult=a=b\n"
    asked = commands(engine, {"systemctl show": (0, output)})
    shown = engine.show_units(["a.service", "b.service"])
    assert shown["a.service"]["ActiveState"] == "active"
    assert shown["b.service"] == {"Id": "alias.service", "ActiveState": "failed", "Result": "a=b"}
    assert engine.show_units([]) == {}
    assert len(asked) == 1


def test_managed_units(tmp_path, monkeypatch):
    monkeypatch.setattr(engine, "UNIT_DIRECTORY", str(tmp_path))
    (tmp_path / "mine.service").write_text("[Service]\nImage=no\n\n[X-SelfHosting]\nProduct=mash-lago\nImage=a:1@x=y\n")
    program = "ExecStartPost=/usr/bin/python3 -I /mash/engine/container-ready --timeout=9 a\n"
    (tmp_path / "ready.service").write_text(f"[Service]\n{program}\n[X-SelfHosting]\nProduct=mash-lago\n")
    (tmp_path / "mine.timer").write_text("[X-SelfHosting]\nProduct=mash-lago\n")
    (tmp_path / "worker.service").write_text(
        '[X-SelfHosting]\nProduct=mash-lago\nImage=a:1\nQuiet=TSTP\nWaiting=["ruby", "-e", "a = \\"b\\""]\n'
    )
    (tmp_path / "other.service").write_text("[Service]\n")
    (tmp_path / "mine.conf").write_text("[X-SelfHosting]\nProduct=x\n")
    assert engine.managed_units() == {
        "mine.service": {"product": "mash-lago", "image": "a:1@x=y"},
        "mine.timer": {"product": "mash-lago", "image": ""},
        "worker.service": {
            "product": "mash-lago",
            "image": "a:1",
            "quiet": "TSTP",
            "waiting": ["ruby", "-e", 'a = "b"'],
        },
        "ready.service": {"product": "mash-lago", "image": "", "engine_path": "/mash/engine"},
    }
    monkeypatch.setattr(engine, "UNIT_DIRECTORY", str(tmp_path / "nothing"))
    assert engine.managed_units() == {}


@pytest.fixture
def recorded(tmp_path, monkeypatch):
    """A container that was made from one file."""
    file, record = tmp_path / "env", tmp_path / "inputs.sha256"
    file.write_text("A=1\n")
    record.write_text(f"{engine.sha256(file)}  {file}\n")
    real = builtins.open
    monkeypatch.setattr(
        builtins, "open", lambda path, *a, **k: real(record if path == "/run/a/inputs.sha256" else path, *a, **k)
    )
    return file, record


def stale(properties=None, container="sha256:1", image="sha256:1"):
    containers = {"a": {"image_id": container}} if container else {}
    images = {"b:1": image} if image else {}
    return engine._stale(
        "a.service", properties or {"NeedDaemonReload": "no"}, "docker.io/library/b:1", containers, images
    )


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ({}, []),
        ({"properties": {"NeedDaemonReload": "yes"}}, ["its unit file changed on disk"]),
        ({"container": None}, ["its container is gone"]),
        ({"image": "sha256:2"}, ["docker.io/library/b:1 is another image now"]),
        ({"image": None}, []),
    ],
)
def test_stale(recorded, arguments, expected):
    assert stale(**arguments) == expected


def test_stale_files(recorded):
    file, record = recorded
    file.write_text("A=2\n")
    assert stale() == [f"{file} changed"]
    file.unlink()
    assert stale() == [f"{file} is gone"]
    record.unlink()
    assert stale() == ["nothing on the server says what it was started with"]


def test_unit_states(commands, recorded, monkeypatch):
    output = "\n\n".join(
        f"Id={name}\nLoadState=loaded\nActiveState={active}\nSubState=x\nUnitFileState=enabled\nNeedDaemonReload=no"
        "\nWantedBy=multi-user.target docker.service d.service\nRequiredBy=e.service d.service"
        for name, active in (("a.service", "active"), ("b.timer", "active"), ("c.service", "inactive"))
    )
    commands(engine, {"systemctl show": (0, output)})
    docker = engine.Docker("/nonexistent")
    monkeypatch.setattr(docker, "containers", dict)
    units = {"c.service": {"image": "b:1"}, "a.service": {"image": "b:1"}, "b.timer": {"image": ""}}
    states = engine.unit_states(units, docker)
    assert {name: state["active"] for name, state in states.items()} == {
        "a.service": True,
        "b.timer": True,
        "c.service": False,
    }
    assert {name: state["stale"] for name, state in states.items()} == {
        "a.service": ["its container is gone"],
        "b.timer": [],
        "c.service": [],
    }
    assert states["a.service"]["state"] == "active/x"
    assert states["a.service"]["needed_by"] == ["d.service", "e.service"]


@pytest.mark.parametrize(
    ("state", "changed", "expected"),
    [
        (("activating", "start-post"), True, True),
        (("activating", "start-post"), False, False),
        # What comes next reads what is there now.
        (("activating", "auto-restart"), True, False),
        (("inactive", "dead"), True, False),
        (("active", "running"), True, False),
    ],
)
def test_a_start_that_is_overtaken(commands, recorded, monkeypatch, state, changed, expected):
    output = f"Id=a.service\nActiveState={state[0]}\nSubState={state[1]}\nNeedDaemonReload=no"
    commands(engine, {"systemctl show": (0, output)})
    docker = engine.Docker("/nonexistent")
    if changed:
        recorded[0].write_text("A=2\n")
    assert engine.unit_states({"a.service": {"image": "b:1"}}, docker)["a.service"]["overtaken"] is expected


def test_claims_of_every_engine_on_the_server(tmp_path):
    for engine_path, name, text in (("a", "x", '{"host": "h"}'), ("b", "y", '{"host": "i"}'), ("b", "z", "no JSON")):
        path = tmp_path / engine_path / "claims"
        path.mkdir(parents=True, exist_ok=True)
        (path / f"{name}.json").write_text(text)
    (tmp_path / "b" / "claims" / "other.txt").write_text("{}")
    paths = [str(tmp_path / name) for name in ("a", "b", "nothing")]
    assert engine.claims(paths) == {"x": {"host": "h"}, "y": {"host": "i"}}


@pytest.mark.parametrize(
    ("unit", "title", "expected"),
    [
        ({"quiet": "TSTP"}, b"sidekiq 7.3.2 app [0 of 10 busy] stopping\x00\x00", True),
        ({"quiet": "TSTP"}, b"sidekiq 7.3.2 app [1 of 10 busy] stopping", True),
        ({"quiet": "TSTP"}, b"sidekiq 7.3.2 app [0 of 10 busy]\x00", False),
        ({"quiet": "TSTP"}, b"ruby sidekiq stopping", False),
        ({}, b"sidekiq 7.3.2 app [0 of 10 busy] stopping", False),
    ],
)
def test_a_worker_that_takes_no_jobs_any_more(monkeypatch, tmp_path, unit, title, expected):
    file = tmp_path / "cmdline"
    file.write_bytes(title)
    real = builtins.open
    monkeypatch.setattr(
        builtins, "open", lambda path, *a, **k: real(file if path == "/proc/77/cmdline" else path, *a, **k)
    )
    monkeypatch.setattr(engine, "managed_unit", lambda _name: unit)
    docker = engine.Docker("/nonexistent")
    monkeypatch.setattr(docker, "container", lambda name: {"State": {"Pid": 77}} if name == "a" else None)
    assert engine.is_quiet("a.service", docker) is expected
    assert engine.is_quiet("gone.service", docker) is False
