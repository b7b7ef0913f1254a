# SPDX-FileCopyrightText: 2026 The selfhosting.lago authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""The program that waits, against real sockets and an invented Docker."""

import http.server
import importlib.util
import io
import json
import os
import socket
import socketserver
import threading
import time

import pytest
from virtual_host import REPOSITORY

PROGRAM = REPOSITORY / "plugins" / "plugin_utils" / "files" / "container-ready.py"
HERE = {"Id": "c0ffee", "NetworkSettings": {"Networks": {"a": {"IPAddress": ""}, "b": {"IPAddress": "127.0.0.1"}}}}
NOWHERE = {"Id": "c0ffee", "NetworkSettings": {"Networks": {"a": {"IPAddress": "", "GlobalIPv6Address": ""}}}}


@pytest.fixture
def ready():
    specification = importlib.util.spec_from_file_location("container_ready", PROGRAM)
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    module.INTERVAL = 0.01
    return module


@pytest.fixture
def docker_at(monkeypatch):
    """Docker's socket is there."""
    return lambda path: monkeypatch.setattr("container_docker.SOCKET", str(path))


class Quiet(http.server.BaseHTTPRequestHandler):
    def log_message(self, *_arguments):
        pass

    def address_string(self):
        return "test"


def serving(server):
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    return server


@pytest.fixture
def web():
    """The port of a server that answers /<status> with that status."""

    class Handler(Quiet):
        def do_GET(self):
            self.send_response(int(self.path.strip("/")))
            self.end_headers()

    with serving(http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)) as server:
        yield server.server_address[1]
        server.shutdown()


@pytest.fixture
def closed():
    with socket.create_server(("127.0.0.1", 0)) as listening:
        return listening.getsockname()[1]


@pytest.mark.parametrize(("status", "expected"), [(200, True), (302, True), (404, True), (500, False), (503, False)])
def test_http(ready, web, status, expected):
    assert ready.http_answers(HERE, str(web), f"/{status}") is expected


def test_http_without_an_answer(ready, web, closed):
    assert not ready.http_answers(HERE, closed, "/200")
    assert not ready.http_answers(NOWHERE, web, "/200")


def test_http_to_what_speaks_something_else(ready):
    with socket.create_server(("127.0.0.1", 0)) as listening:
        threading.Thread(target=lambda: listening.accept()[0].sendall(b"SSH-2.0\r\n"), daemon=True).start()
        assert not ready.http_answers(HERE, listening.getsockname()[1], "/")


def test_tcp(ready, web, closed):
    assert ready.tcp_answers(HERE, str(web))
    assert not ready.tcp_answers(HERE, closed)
    assert not ready.tcp_answers(NOWHERE, web)


def test_addresses(ready):
    networks = {"a": {"IPAddress": "10.0.0.2", "GlobalIPv6Address": "fd00::2"}, "b": {"IPAddress": "", "Other": 1}}
    assert ready.addresses({"NetworkSettings": {"Networks": networks}}) == ["10.0.0.2", "fd00::2"]


@pytest.mark.parametrize("address", ["127.0.0.1", "::1"])
def test_established(ready, address):
    me = {"State": {"Pid": os.getpid()}}
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.create_server((address, 0), family=family) as listening:
        port = listening.getsockname()[1]
        assert not ready.established(me, "1", str(port))
        with socket.create_connection((address, port)):
            assert ready.established(me, "1", str(port))


@pytest.mark.parametrize("address", ["127.0.0.1", "::1"])
def test_established_to_any_but_some_ports(ready, address, tmp_path, monkeypatch):
    """Invented tables: this process has connections of its own."""
    here, remote = ("0" * 31 + "1", "0" * 32) if ":" in address else ("0100007F", "00000000")
    table = "tcp6" if ":" in address else "tcp"
    row = f"   0: {here}:A000 {remote}:{5432:04X} 01 rest\n   1: {here}:A001 {remote}:0000 0A rest\n"
    monkeypatch.setattr("builtins.open", lambda path, **_options: io.StringIO("head\n" + row * path.endswith(table)))
    me = {"State": {"Pid": 1}}
    assert not ready.established(me, "except", "5432")
    assert ready.established(me, "except", "6379")
    assert ready.established(me, "5432")
    assert not ready.established(me, "6379")


def test_established_in_a_process_that_ended(ready):
    assert not ready.established({"State": {"Pid": 2**22 + 1}}, "1")


def test_exec(ready, tmp_path, monkeypatch):
    program = tmp_path / "docker"
    program.write_text('#!/bin/sh\necho "$@" >"$0.asked"\n[ "$4" = good ]\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    assert ready.exec_succeeds(HERE, "ping", "good")
    assert not ready.exec_succeeds(HERE, "ping", "bad")
    assert (tmp_path / "docker.asked").read_text() == "exec c0ffee ping bad\n"


@pytest.fixture
def docker(ready, docker_at, tmp_path):
    """Docker's socket: each question is answered with the next state of the list, the last one for ever."""
    states = []

    class Handler(Quiet):
        def do_GET(self):
            state = states.pop(0) if len(states) > 1 else states[0]
            known = state is not None and self.path == "/containers/mash-a/json"
            self.send_response(200 if known else 404)
            self.end_headers()
            if known:
                self.wfile.write(json.dumps({**HERE, "State": state}).encode())

    docker_at(tmp_path / "docker.sock")
    with serving(socketserver.ThreadingUnixStreamServer(str(tmp_path / "docker.sock"), Handler)) as server:
        yield states
        server.shutdown()


CREATED = {"Status": "created", "Running": False}
RUNNING = {"Status": "running", "Running": True}
EXITED = {"Status": "exited", "Running": False, "ExitCode": 3}


def test_it_waits_for_the_container(ready, docker, web):
    docker += [None, CREATED, CREATED, RUNNING]
    assert ready.main(["--timeout=5", "mash-a", "http", str(web), "/200"]) == 0
    assert docker == [RUNNING]


def test_a_container_that_ended(ready, docker, web, capsys):
    docker += [RUNNING, EXITED]
    begin = time.monotonic()
    assert ready.main(["--timeout=60", "mash-a", "http", str(web), "/503"]) == 1
    assert time.monotonic() - begin < 5
    assert capsys.readouterr().err == "mash-a ended with exit code 3 before it was ready\n"


def test_a_container_that_does_not_answer(ready, docker, web, capsys):
    docker += [RUNNING]
    assert ready.main(["--timeout=0.2", "mash-a", "http", str(web), "/503"]) == 1
    assert f"mash-a did not answer its probe (http {web} /503) within 0 s" in capsys.readouterr().err


def test_no_docker(ready, docker_at, tmp_path, capsys):
    docker_at(tmp_path / "nothing.sock")
    assert ready.main(["--timeout=0.1", "mash-a", "tcp", "1"]) == 1
    assert "did not answer" in capsys.readouterr().err


def test_docker_that_says_nonsense(ready, docker_at, tmp_path):
    docker_at(tmp_path / "docker.sock")

    class Handler(socketserver.StreamRequestHandler):
        def handle(self):
            self.wfile.write(b"nonsense\r\n\r\n")

    with serving(socketserver.ThreadingUnixStreamServer(str(tmp_path / "docker.sock"), Handler)) as server:
        assert ready.inspect("mash-a") is None
        server.shutdown()
