# SPDX-FileCopyrightText: 2026 The selfhosting.lago authors
# SPDX-License-Identifier: AGPL-3.0-or-later
import grp
import ipaddress
import os
import pwd
from types import SimpleNamespace

import pytest
from ansible_collections.selfhosting.lago.plugins.modules import server_files

ME = {"owner": pwd.getpwuid(os.getuid()).pw_name, "group": grp.getgrgid(os.getgid()).gr_name}


@pytest.fixture
def entry(tmp_path):
    def make(content="new\n", **options):
        return {"path": str(tmp_path / "file"), "content": content, "mode": "0640", **ME, **options}

    return make


def test_a_file_is_written_once(entry, run_module):
    assert run_module(server_files, files=[entry()])["files"] == [entry()["path"]]
    assert run_module(server_files, files=[entry()])["changed"] is False
    status = os.stat(entry()["path"])
    assert status.st_mode & 0o777 == 0o640


def test_check_mode_says_the_same_and_changes_nothing(entry, tmp_path, run_module):
    arguments = {"files": [entry()], "directories": [{"path": str(tmp_path / "d"), **ME}]}
    announced = run_module(server_files, check_mode=True, **arguments)
    assert list(tmp_path.iterdir()) == []
    done = run_module(server_files, **arguments)
    keys = ("changed", "files", "directories", "networks", "removed", "diff")
    assert {key: announced[key] for key in keys} == {key: done[key] for key in keys}


@pytest.mark.parametrize("content", ["a\r\nb\r\n", "ü\n", "", "no line end", "a\rb"])
def test_every_content_arrives_as_it_is(entry, content, tmp_path):
    server_files.write_file(entry(content), change=True)
    assert (tmp_path / "file").read_bytes() == content.encode()
    assert server_files.write_file(entry(content), change=True) is False


def test_another_line_end_is_another_content(entry, tmp_path):
    (tmp_path / "file").write_bytes(b"a\r\n")
    server_files.write_file(entry("a\n"), change=True)
    assert (tmp_path / "file").read_bytes() == b"a\n"


def test_mode_alone(entry, tmp_path, run_module):
    run_module(server_files, files=[entry()])
    before = os.stat(tmp_path / "file").st_ino
    assert run_module(server_files, files=[entry(mode="0600")])["files"]
    after = os.stat(tmp_path / "file")
    assert (after.st_ino, after.st_mode & 0o777) == (before, 0o600)


@pytest.mark.parametrize("step", ["set_owner_and_mode", "replace"])
def test_a_failure_keeps_the_old_file(entry, tmp_path, run_module, monkeypatch, step):
    (tmp_path / "file").write_text("old\n")

    def fail(*_arguments):
        raise OSError("no space left on device")

    monkeypatch.setattr(*((server_files, step) if step == "set_owner_and_mode" else (os, "replace")), fail)
    answer = run_module(server_files, files=[entry()])
    assert answer["failed"]
    assert "no space left on device" in answer["msg"]
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
    assert (tmp_path / "file").read_text() == "old\n"


def test_a_reader_never_sees_half_of_a_file(entry, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("old\n")
    seen = []
    real = os.replace

    def replace(source, target):
        seen.append(((tmp_path / "file").read_text(), os.stat(source).st_mode & 0o777))
        real(source, target)

    monkeypatch.setattr(os, "replace", replace)
    server_files.write_file(entry(mode="0600"), change=True)
    assert seen == [("old\n", 0o600)]


def test_secrets_are_in_no_result(entry, tmp_path, run_module):
    (tmp_path / "file").write_text("PASSWORD=old-swordfish\n")
    secrets = {entry()["path"]: "PASSWORD=swordfish\n"}
    answer = run_module(server_files, files=[{**entry(), "content": None}], secrets=secrets)
    assert answer["files"] == [entry()["path"]]
    assert (tmp_path / "file").read_text() == "PASSWORD=swordfish\n"
    assert "swordfish" not in str(answer)
    (difference,) = answer["diff"]
    assert (difference["before"], difference["after"]) == ("", "(holds secrets, not shown)\n")
    assert difference["after_header"] == entry()["path"]


def test_what_is_no_secret_is_shown(entry, tmp_path, run_module):
    (tmp_path / "file").write_text("old\n")
    (difference,) = run_module(server_files, files=[entry()])["diff"]
    assert (difference["before"], difference["after"]) == ("old\n", "new\n")


def test_directories_and_what_is_to_be_absent(tmp_path, run_module):
    (tmp_path / "old").touch()
    path = str(tmp_path / "a" / "b")
    arguments = {
        "directories": [{"path": path, "mode": "0700", **ME}],
        "absent": [str(tmp_path / "old"), "/nonexistent"],
    }
    answer = run_module(server_files, **arguments)
    assert (answer["directories"], answer["removed"]) == ([path], [str(tmp_path / "old")])
    assert os.stat(path).st_mode & 0o777 == 0o700
    assert run_module(server_files, **arguments)["changed"] is False


def test_a_unit_file_makes_systemd_read_again(tmp_path, run_module, commands, monkeypatch, entry):
    asked = commands(server_files)
    monkeypatch.setattr(server_files, "UNIT_DIRECTORY", str(tmp_path))
    run_module(server_files, check_mode=True, files=[entry()])
    assert asked == []
    run_module(server_files, files=[entry()])
    run_module(server_files, files=[entry()])
    assert asked == ["systemctl daemon-reload"]


def test_networks(run_module, commands, monkeypatch):
    monkeypatch.setattr(server_files, "Docker", lambda: SimpleNamespace(networks=lambda: {"there": {}}))
    asked = commands(server_files)
    wanted = [{"name": "there"}, {"name": "inner", "internal": True}, {"name": "six", "ipv6": True}]
    assert run_module(server_files, networks=wanted)["networks"] == ["inner", "six"]
    subnet = server_files.unique_local_subnet("six")
    assert asked == [
        "docker network create --driver=bridge --internal inner",
        f"docker network create --driver=bridge --ipv6 --subnet={subnet} six",
    ]


def test_unique_local_subnet():
    subnets = {server_files.unique_local_subnet(f"network-{number}") for number in range(50)}
    assert len(subnets) == 50
    for subnet in subnets:
        network = ipaddress.ip_network(subnet)
        assert network.prefixlen == 64
        assert network.subnet_of(ipaddress.ip_network("fd00::/8"))
    assert server_files.unique_local_subnet("mash") == server_files.unique_local_subnet("mash")


def test_a_file_gets_what_is_elsewhere_on_the_server(entry, tmp_path, run_module):
    before = tmp_path / "before"
    before.write_text("KEY=secret\n")
    file = {key: value for key, value in entry(source=str(before)).items() if key != "content"}
    answer = run_module(server_files, files=[file])
    assert (tmp_path / "file").read_text() == "KEY=secret\n"
    assert "KEY" not in str(answer), "it may hold secrets"
    assert run_module(server_files, files=[file])["changed"] is False
    before.unlink()
    answer = run_module(server_files, files=[file])
    assert answer["failed"]
    assert "before: there is no content" in answer["msg"]
