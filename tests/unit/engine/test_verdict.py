# SPDX-FileCopyrightText: 2026 The selfhosting.lago authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""One message over all hosts: what it says, and what the action makes of it."""

import socket

import pytest
from ansible.errors import AnsibleActionFail
from ansible_collections.selfhosting.lago.plugins.action import verdict
from ansible_collections.selfhosting.lago.plugins.action.server_probe import clock_ahead
from ansible_collections.selfhosting.lago.plugins.module_utils import machine, sockets
from ansible_collections.selfhosting.lago.plugins.module_utils.engine import Docker
from ansible_collections.selfhosting.lago.plugins.plugin_utils import kinds, names
from ansible_collections.selfhosting.lago.plugins.plugin_utils.specification import options_of
from ansible_collections.selfhosting.lago.plugins.plugin_utils.verdict import refusal
from virtual_host import PRODUCTS, VirtualHost


def test_all_hosts_are_in_one_message():
    assert refusal({"a": ["x is wrong.", "y is wrong."], "b": ["x is wrong.", "z is wrong."], "c": []}) == (
        "Nothing was changed on any host; 3 to correct first:\n"
        "a, b:\n  1. x is wrong.\n"
        "a:\n  2. y is wrong.\n"
        "b:\n  3. z is wrong.\n"
        "Nothing to correct for c."
    )
    assert refusal({"a": [], "b": []}) == ""


@pytest.fixture
def told(monkeypatch):
    lines = []
    monkeypatch.setattr(verdict.display, "display", lambda text, **_options: lines.append(text))

    def run(found, **arguments):
        host = VirtualHost()
        hostvars = {
            name: {"selfhosting_preflight": {"hints": [], "problems": [], **one}} for name, one in found.items()
        }
        action = host.action(verdict, {"hosts": list(found), **arguments})
        return action.run(None, {**host.variables, "hostvars": hostvars}), lines

    return run


def test_warnings_are_told_once_and_stop_nothing(told):
    result, lines = told({"a": {"hints": ["w."]}, "b": {"hints": ["w."]}})
    assert lines == ["Worth a look, and no reason to stop:\na, b:\n  1. w.\n"]
    assert result["changed"] is False


def test_problems_end_the_run(told):
    with pytest.raises(AnsibleActionFail, match=r"Nothing was changed on any host; 1 to correct first:\nb:\n  1\. p\."):
        told({"a": {}, "b": {"problems": ["p."]}})


def test_that_nothing_was_found_is_said_when_asked(told):
    assert told({"a": {}, "b": {}})[1] == []
    assert told({"a": {}, "b": {}}, say_so=True)[1] == ["Nothing to correct for a, b."]


@pytest.mark.parametrize(
    ("seen", "expected"),
    [(100, 0), (109, 0), (110, 0), (170.9, 60), (40, -60), (99.5, 0)],
    ids=lambda value: str(value),
)
def test_clocks_are_compared_within_the_time_that_the_question_took(seen, expected):
    assert clock_ahead(seen, before=100, after=110) == expected


def test_sockets_of_the_kernel(tmp_path, monkeypatch):
    assert sockets.address_of("0100007F") == "127.0.0.1"
    assert sockets.address_of("00000000000000000000000001000000") == "::1"
    found = sockets.listeners(
        {"1": ("0.0.0.0", "80/tcp"), "2": ("127.0.0.1", "80/udp")}, {"mash-traefik": {"ports": [("0.0.0.0", "80/tcp")]}}
    )
    assert ["0.0.0.0", "80/tcp", "container mash-traefik"] in found
    assert ["127.0.0.1", "80/udp", ""] in found
    assert len(found) == 2


def test_ports_of_containers_that_are_stopped_first_are_free():
    containers = {
        name: {"ports": [("0.0.0.0", port)]} for name, port in (("lago-front", "80/tcp"), ("nginx", "443/tcp"))
    }
    found = sockets.listeners({}, containers, leaving=["lago-front", "lago-api"])
    assert found == [["0.0.0.0", "443/tcp", "container nginx"]]


def test_sockets_that_wait_for_anybody():
    """Real ones; connected to somebody, a socket of UDP keeps its port to itself."""
    with (
        socket.create_server(("127.0.0.1", 0)) as tcp,
        socket.socket(type=socket.SOCK_DGRAM) as udp,
        socket.socket(type=socket.SOCK_DGRAM) as connected,
    ):
        udp.bind(("127.0.0.1", 0))
        connected.connect(udp.getsockname())
        places = set(sockets.listening_sockets().values())
        assert ("127.0.0.1", f"{tcp.getsockname()[1]}/tcp") in places
        assert ("127.0.0.1", f"{udp.getsockname()[1]}/udp") in places
        assert ("127.0.0.1", f"{connected.getsockname()[1]}/udp") not in places


def test_published_ports_of_containers(monkeypatch):
    ports = [{"IP": "::", "PublicPort": 80, "Type": "tcp"}, {"PublicPort": 80, "Type": "udp"}, {}]
    container = {"Names": ["/a"], "State": "running", "ImageID": "i", "Ports": ports}
    monkeypatch.setattr(Docker, "get", lambda _self, _path: [container])
    assert Docker().containers()["a"]["ports"] == [("0.0.0.0", "80/udp"), ("::", "80/tcp")]


@pytest.mark.parametrize(
    ("text", "state", "kind"),
    [
        ('#!/bin/sh\nexec /usr/bin/podman "$@"\n', {"LoadState": "not-found"}, "podman"),
        ("\x7fELF", {"LoadState": "loaded"}, "docker"),
    ],
)
def test_what_is_called_docker(text, state, kind, tmp_path):
    program = tmp_path / "docker"
    program.write_text(text)
    assert machine.docker_kind(str(program), state) == kind
    assert machine.docker_kind(None, state) == ""


def test_names_that_do_not_exist_are_told_from_silence(monkeypatch):
    def answer(error):
        def ask(*_arguments, **_options):
            raise names.socket.gaierror(error, "")

        return ask

    monkeypatch.setattr(names.socket, "getaddrinfo", answer(names.socket.EAI_NONAME))
    assert names.addresses_of("lago.example.com") == []
    monkeypatch.setattr(names.socket, "getaddrinfo", answer(names.socket.EAI_AGAIN))
    assert names.addresses_of("lago.example.com") is None
    monkeypatch.setattr(names.socket, "getaddrinfo", lambda *_a, **_o: [(0, 0, 0, "", ("2001:db8:0::7%eth0", 0))])
    assert names.addresses_of("lago.example.com") == ["2001:db8::7"]


def test_each_kind_is_known_and_used():
    known = {name for role in ("base", *PRODUCTS) for name in options_of(role)}
    used = {kinds.kind_of(name) for name in known}
    assert kinds.KINDS.keys() <= used
    assert used <= kinds.KINDS.keys() | {"", "key", "password", "password of others"}


@pytest.mark.parametrize(
    "word",
    ["changeme", "Change-Me!"[:-1], "your-encryption-primary-key", "xxxxxxxx", "password1", "<secret>", "12345678"],
)
def test_placeholders(word):
    assert kinds.placeholder(word)


@pytest.mark.parametrize("word", ["set theory rocks", "my dog has fleas", "5ecret-of-the-house-9", "f3a9c2d17b"])
def test_words_of_ones_own(word):
    assert not kinds.placeholder(word)
