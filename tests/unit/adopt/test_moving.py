# SPDX-FileCopyrightText: 2026 The selfhosting.lago authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""The program that moves: keys, files, the order of its steps, and what a failure leaves."""

import importlib.util
import io
import json
import os
from pathlib import Path

import keys
import pytest
import resp
import source
import storage
from shell import Failure

PROGRAM = Path(keys.__file__).parent


def program():
    """Other programs are called __main__ too."""
    spec = importlib.util.spec_from_file_location("adopt_program", PROGRAM / "__main__.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class Redis:
    """As much of one as copying needs; `lives` are milliseconds."""

    def __init__(self, values=None, lives=None):
        self.values, self.lives = dict(values or {}), dict(lives or {})

    def ask_all(self, commands):
        return [self.ask(*command) for command in commands]

    def ask(self, command, *words):
        return getattr(self, command.lower())(*words)

    def dbsize(self):
        return len(self.values)

    def flushdb(self):
        self.values, self.lives = {}, {}

    def scan(self, cursor, _count, _batch):
        # Each key twice, as may happen.
        names = list(self.values)
        return [b"0", names] if cursor == b"1" else [b"1", names[:1]]

    def type(self, key):
        return {bytes: b"string", list: b"list", set: b"set", dict: b"hash", tuple: b"zset", int: b"stream"}[
            type(self.values[key])
        ]

    def pttl(self, key):
        return self.lives.get(key, -1)

    def pexpire(self, key, life):
        self.lives[key] = life

    def get(self, key):
        return self.values[key]

    def set(self, key, value):
        self.values[key] = value

    def lrange(self, key, start, end):
        return self.values[key][start : end + 1 if end >= 0 else None]

    def smembers(self, key):
        return sorted(self.values[key])

    def hgetall(self, key):
        return [word for pair in self.values[key].items() for word in pair]

    def zrange(self, key, *_all):
        return [word for pair in self.values[key] for word in pair]

    def rpush(self, key, *words):
        self.values.setdefault(key, []).extend(words)

    def sscan(self, key, *_rest):
        return [b"0", self.smembers(key)]

    def sadd(self, key, *words):
        self.values.setdefault(key, set()).update(words)

    def hscan(self, key, *_rest):
        return [b"0", self.hgetall(key)]

    def hset(self, key, *words):
        self.values.setdefault(key, {}).update(zip(words[::2], words[1::2], strict=True))

    def zscan(self, key, *_rest):
        return [b"0", self.zrange(key)]

    def zadd(self, key, *words):
        self.values[key] = (*self.values.get(key, ()), *zip(words[1::2], words[::2], strict=True))

    def llen(self, key):
        return len(self.values[key])

    strlen = scard = zcard = hlen = llen


def test_keys_of_every_kind_arrive_with_their_lives():
    values = {
        b"stat:processed": b"17",
        b"queue:default": [b'{"a": 1}', b"\r\n\0"] * 700,
        b"queues": {b"default", b"low"},
        b"schedule": ((b"job", b"1700000000.25"), (b"other", b"3")),
        b"locks": {b"a": b"1", b"b": b"2"},
        b"cache": b"soon gone",
        b"cache of much": b"x" * 100_000,
        b"long set": {b"%d" % number for number in range(1200)},
        b"long hash": {b"%d" % number: b"1" for number in range(1200)},
        b"dead": tuple((b"%d" % number, b"1.5") for number in range(1200)),
    }
    origin, target = Redis(values, {b"cache": 5000}), Redis({b"of an earlier try": b"x"})
    keys.copy(origin, target)
    assert target.values == values
    assert target.lives == {b"cache": 5000}
    assert origin.values == values


def test_a_kind_that_lago_does_not_use_is_refused():
    with pytest.raises(Failure, match="'events' is a stream"):
        keys.copy(Redis({b"events": 1}), Redis())


def test_a_key_that_did_not_arrive_whole_is_found():
    class Forgetful(Redis):
        def rpush(self, key, *words):
            super().rpush(key, *words[1:])

    with pytest.raises(Failure, match="has 2 entries, and 1 were copied"):
        keys.copy(Redis({b"queue": [b"1", b"2"]}), Forgetful())


def test_the_protocol():
    assert resp.encoded(["SET", b"\r\n", 1]) == b"*3\r\n$3\r\nSET\r\n$2\r\n\r\n\r\n$1\r\n1\r\n"
    connection = resp.Connection.__new__(resp.Connection)
    connection._reader = io.BytesIO(b"+OK\r\n:3\r\n$-1\r\n$4\r\na\r\nb\r\n*2\r\n$1\r\n0\r\n*0\r\n-ERR no\r\n")
    assert [connection._answer() for _ in range(5)] == [b"OK", 3, None, b"a\r\nb", [b"0", []]]
    assert "ERR no" in str(connection._answer())
    with pytest.raises(Failure, match="closed"):
        connection._answer()


@pytest.fixture
def files(tmp_path):
    for path, text in {"ab/cd/abcd": "invoice", "ef/gh/efgh": "logo"}.items():
        (tmp_path / "source" / path).parent.mkdir(parents=True)
        (tmp_path / "source" / path).write_text(text)
    (tmp_path / "target").mkdir()
    return {
        "source": str(tmp_path / "source"),
        "target": str(tmp_path / "target"),
        "ids": f"{os.getuid()}:{os.getgid()}",
    }


def test_files_are_copied_once_and_whole(files, capsys):
    storage.copied(files)
    target = Path(files["target"])
    assert (target / "ab/cd/abcd").read_text() == "invoice"
    assert oct((target / "ab/cd/abcd").stat().st_mode)[-3:] == "640"
    assert oct((target / "ab/cd").stat().st_mode)[-3:] == "750"
    assert storage.differences(files) == []
    # Half of one, as a copy leaves it that was cut off.
    (target / "ab/cd/abcd").write_text("inv")
    assert storage.differences(files) == ["ab/cd/abcd"]
    storage.copied(files)
    assert storage.differences(files) == []
    assert "of them copied now: 1" in capsys.readouterr().out


class Docker:
    """Containers by name; every command is noted."""

    def __init__(self, **running):
        self.running, self.policies, self.commands = running, dict.fromkeys(running, "unless-stopped"), []

    def __call__(self, command, check=True, **_further):
        name = command[-1] if command[-1] != source.QUIET else command[-2]
        answer = ""
        if command[1] == "inspect":
            answer = json.dumps(
                [
                    {
                        "State": {"Running": self.running[name]},
                        "HostConfig": {"RestartPolicy": {"Name": self.policies[name], "MaximumRetryCount": 0}},
                    }
                ]
            )
        else:
            self.commands.append(" ".join(command))
            if command[1] == "update":
                self.policies[name] = command[2].partition("=")[2]
            elif command[1] in ("start", "stop"):
                self.running[name] = command[1] == "start"
            elif command[1:3] == ["kill", "--signal=INT"]:
                self.running[name] = False
        return type("Done", (), {"stdout": answer, "stderr": "", "returncode": 0})()


@pytest.fixture
def docker(monkeypatch):
    docker = Docker(clock=True, worker=True, api=True, migrate=False, db=True, redis=True)
    monkeypatch.setattr(source, "run", docker)
    return docker


@pytest.fixture
def request_of(tmp_path, files):
    return {
        "directory": "/opt/lago",
        "record_path": str(tmp_path / "record.json"),
        "source": {
            "processes": {"clock": ["clock"], "worker": ["worker"], "api": ["api"], "migrate": ["migrate"]},
            "data": ["db", "redis"],
            "quiet": ["quiet"],
            "drain_seconds": 60,
        },
        "postgres": {"source": {}, "target": {}},
        "redis": {"source": {}, "target": {}},
        "storage": files,
    }


@pytest.fixture
def moved(monkeypatch, request_of):
    """Runs the program; the database's step does what it is told."""
    main = program()
    seen = []

    def run(database=lambda: None):
        monkeypatch.setattr(main.Database, "move", lambda _self: (seen.append("database"), database())[1])
        monkeypatch.setattr(main.Keys, "move", lambda _self: seen.append("redis"))
        main.move(request_of)
        return seen

    run.seen = seen
    run.record = lambda: json.loads(Path(request_of["record_path"]).read_text())
    return run


def test_the_clock_stops_first_and_the_data_last_and_nothing_starts_at_boot(docker, moved):
    assert moved() == ["database", "redis"]
    stops = [command for command in docker.commands if any(word in command for word in ("stop", "quiet", "kill"))]
    assert stops == [
        "docker stop --time=10 clock",
        "quiet --timeout=60 worker TSTP",
        "docker stop --time=35 worker",
        "docker kill --signal=INT api",
        "docker stop --time=45 api",
        "docker stop --time=120 db",
        "docker stop --time=120 redis",
    ]
    assert set(docker.policies.values()) == {"no"}
    assert not any(docker.running.values())
    assert moved.record()["state"] == "moved"


def test_a_step_that_fails_leaves_the_project_as_it_was(docker, moved):
    before = dict(docker.running)

    def fails():
        raise Failure("no")

    with pytest.raises(Failure):
        moved(fails)
    assert docker.running == before
    assert set(docker.policies.values()) == {"unless-stopped"}
    assert docker.commands[-1] == "docker start clock", "the clock is the last to start"
    assert moved.record()["done"] == []
    moved()
    assert moved.record()["state"] == "moved"


def test_a_run_that_was_killed_is_completed(docker, moved):
    def killed():
        raise SystemExit

    with pytest.raises(SystemExit):
        moved(killed)
    assert moved.record()["done"] == ["stop"]
    # A boot of the server, and somebody who started the clock by hand.
    docker.running.update(dict.fromkeys(docker.running, False), clock=True)
    docker.commands.clear()
    moved()
    assert moved.seen == ["database", "database", "redis"]
    assert "docker start db" in docker.commands
    assert "docker stop --time=10 clock" in docker.commands
    assert moved.record()["containers"]["clock"] == {
        "policy": {"Name": "unless-stopped", "MaximumRetryCount": 0},
        "running": True,
    }
