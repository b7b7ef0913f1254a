# SPDX-FileCopyrightText: 2026 The selfhosting.lago authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""The scripts of the Valkey role: snapshots become an append only file and the other way round, and nothing is lost."""

from __future__ import annotations

import contextlib
import itertools
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(REPOSITORY / "molecule"))

from testbed import catalogue  # noqa: E402

JOBS = 1000
PASSWORD = "p%ss $w'rd\\"
SCRIPTS = REPOSITORY / "roles" / "valkey" / "templates"
APPEND_ONLY = ["/config/start.sh", "append-only", "0"]
SNAPSHOTS = ["/config/start.sh", "snapshots", "0"]
# No snapshot is written when such a server stops.
WITHOUT_SNAPSHOTS = 'port 6379\nunixsocket /run/valkey/valkey.sock\nprotected-mode no\ndir /data\nsave ""\n'

Valkey = Callable[..., contextlib.AbstractContextManager[Callable[..., str]]]


def docker(*arguments: str, check: bool = True) -> str:
    done = subprocess.run(["docker", *arguments], capture_output=True, text=True, check=False)
    assert not check or done.returncode == 0, done.stderr
    return done.stdout.strip()


def requirepass(password: str) -> str:
    quoted = password.replace("\\", "\\\\").replace('"', '\\"')
    return f'requirepass "{quoted}"\n' if password else ""


@pytest.fixture
def valkey(tmp_path: Path) -> Valkey:
    """Runs a Valkey on the same data again and again; gives a function that asks it."""
    image = next(image for image in catalogue.load() if image.name.startswith("valkey/"))
    data, config, sockets = (tmp_path / name for name in ("data", "config", "run"))
    for directory in (data, sockets):
        directory.mkdir()
        directory.chmod(0o777)
    config.mkdir()
    for name in ("start.sh", "to-append-only.sh"):
        shutil.copy(SCRIPTS / name, config)
        (config / name).chmod(0o755)

    @contextlib.contextmanager
    def run(*command: str, stop: str = "stop", password: str = "") -> Iterator[Callable[..., str]]:
        lasting = "appendonly yes\n" if "append-only" in command else "save 3600 1\n"
        (config / "valkey.conf").write_text(WITHOUT_SNAPSHOTS + lasting + requirepass(password))
        (config / "password").unlink(missing_ok=True)
        if password:
            (config / "password").write_text(password)
        mounts = [f"--volume={data}:/data", f"--volume={config}:/config:ro", f"--volume={sockets}:/run/valkey"]
        container = docker("run", "--detach", "--user=0", *mounts, image.local_name, *command)

        def ask(*words: str, password: str = password) -> str:
            program = [] if words[0][0] == "/" else ["valkey-cli"]
            return docker("exec", f"--env=REDISCLI_AUTH={password}", container, *program, *words)

        try:
            deadline = time.monotonic() + 30
            while docker("exec", container, "valkey-cli", "ping", check=False)[:4] not in ("PONG", "NOAU"):
                assert time.monotonic() < deadline, docker("logs", container)
                time.sleep(0.1)
            yield ask
            docker(stop, container)
        finally:
            docker("rm", "--force", "--volumes", container)

    return run


def push(ask: Callable[..., str]) -> None:
    ask("eval", f"for i = 1, {JOBS} do redis.call('lpush', 'queue:default', i) end", "0")


def test_a_snapshot_becomes_an_append_only_file(valkey: Valkey) -> None:
    with valkey("valkey-server", "--dir", "/data", "--save", "3600 1", "--protected-mode", "no") as ask:
        push(ask)
    with valkey(*APPEND_ONLY) as ask:
        assert ask("llen", "queue:default") == str(JOBS)
        assert "aof_enabled:1" in ask("info", "persistence")
        ask("rpop", "queue:default")
    # The second start finds the file and leaves the old snapshot alone.
    with valkey(*APPEND_ONLY) as ask:
        assert ask("llen", "queue:default") == str(JOBS - 1)


def test_a_conversion_that_died_is_begun_again(valkey: Valkey, tmp_path: Path) -> None:
    with valkey("valkey-server", "--dir", "/data", "--save", "3600 1", "--protected-mode", "no") as ask:
        push(ask)
    # What a server leaves that was killed before it wrote its manifest.
    (tmp_path / "data" / "appendonlydir").mkdir(mode=0o777)
    (tmp_path / "data" / "appendonlydir" / "appendonly.aof.1.incr.aof").touch()
    with valkey(*APPEND_ONLY) as ask:
        assert ask("llen", "queue:default") == str(JOBS)


def test_a_killed_server_keeps_what_was_written_a_second_before(valkey: Valkey) -> None:
    with valkey(*APPEND_ONLY, stop="kill") as ask:
        push(ask)
        deadline = time.monotonic() + 5
        while "aof_pending_bio_fsync:0" not in ask("info", "persistence") and time.monotonic() < deadline:
            time.sleep(0.1)
    with valkey(*APPEND_ONLY) as ask:
        assert ask("llen", "queue:default") == str(JOBS)


def queue_until_it_is_killed(container: str, address: str, after: int) -> list[int]:
    """Numbers whose push was acknowledged; the server is killed while more of them are on their way."""
    acknowledged: list[int] = []
    killer = threading.Thread(target=docker, args=("kill", "--signal=KILL", container))
    with contextlib.suppress(OSError), socket.create_connection((address, 6379), timeout=30) as connection:
        answers = connection.makefile("rb")
        for number in itertools.count():
            connection.sendall(f"LPUSH queue:default {number}\r\n".encode())
            if not answers.readline().startswith(b":"):
                break
            acknowledged.append(number)
            if len(acknowledged) == after:
                killer.start()
    killer.join()
    return acknowledged


def test_a_kill_in_the_middle_loses_nothing_that_was_acknowledged(
    valkey: Valkey, capsys: pytest.CaptureFixture[str]
) -> None:
    with valkey(*APPEND_ONLY, stop="wait") as ask:
        container, address = ask("/bin/cat", "/etc/hostname"), ask("/bin/hostname", "-i").split()[0]
        acknowledged = queue_until_it_is_killed(container, address, JOBS)
    assert len(acknowledged) >= JOBS
    with valkey(*APPEND_ONLY) as ask:
        kept = set(map(int, ask("lrange", "queue:default", "0", "-1").split()))
    lost = [number for number in acknowledged if number not in kept]
    with capsys.disabled():
        print(f"\nkill -9 of Valkey: {len(acknowledged)} jobs acknowledged, {len(lost)} lost")
    assert lost == []


def test_an_append_only_file_becomes_a_snapshot_and_is_gone(valkey: Valkey, tmp_path: Path) -> None:
    with valkey(*APPEND_ONLY, stop="kill") as ask:
        push(ask)
    with valkey(*SNAPSHOTS) as ask:
        assert ask("llen", "queue:default") == str(JOBS)
        assert "aof_enabled:0" in ask("info", "persistence")
        ask("rpop", "queue:default")
    # What comes back is the newest, not what the file held in the beginning.
    with valkey(*APPEND_ONLY) as ask:
        assert ask("llen", "queue:default") == str(JOBS - 1)


@pytest.mark.parametrize("password", ["", PASSWORD])
def test_a_running_server_that_writes_nothing_gets_an_append_only_file(
    valkey: Valkey, tmp_path: Path, password: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """An orderly stop would not save it either; what says where and who it is, is the configuration of then."""
    configuration = tmp_path / "config" / "valkey.conf"
    with valkey("valkey-server", "--dir", "/data", "--save", "", "--protected-mode", "no", stop="kill") as ask:
        push(ask)
        configuration.write_text(WITHOUT_SNAPSHOTS + requirepass(password))
        if password:
            ask("config", "set", "requirepass", password)
        assert "All data is in the append only file" in ask("/config/to-append-only.sh", "127.0.0.1")
        assert "It writes one already" in ask("/config/to-append-only.sh", "127.0.0.1")
    with valkey(*APPEND_ONLY) as ask:
        kept = int(ask("llen", "queue:default"))
    with capsys.disabled():
        print(f"\nswitch to the durable preset: {JOBS} jobs queued, {JOBS - kept} lost")
    assert kept == JOBS


def test_a_server_that_does_not_answer_is_an_error(valkey: Valkey, tmp_path: Path) -> None:
    with valkey("valkey-server", "--dir", "/data", "--requirepass", "") as ask:
        (tmp_path / "config" / "valkey.conf").write_text("port 6399\n")
        with pytest.raises(AssertionError, match="Could not connect"):
            ask("/config/to-append-only.sh", "127.0.0.1")


def opens(ask: Callable[..., str], *passwords: str) -> list[bool]:
    """As Lago's clients ask; an empty password is none."""
    words = [["hello", "3", "auth", "default", password] if password else ["ping"] for password in passwords]
    return [ask(*asked, password="")[:4] in ("serv", "PONG") for asked in words]


@pytest.mark.parametrize("before", ["first", ""])
def test_what_opened_before_opens_for_a_while(valkey: Valkey, tmp_path: Path, before: str) -> None:
    # For two starts and a few questions; they take a second each.
    grace = 12
    start = ["/config/start.sh", "append-only", str(grace)]
    others = [before == "", before == ""]
    with valkey(*start, password=before) as ask:
        push(ask)
        assert opens(ask, before, PASSWORD, "third") == [True, *others]
    with valkey(*start, password=PASSWORD) as ask:
        begin = time.monotonic()
        assert opens(ask, before, PASSWORD, "third") == [True, True, before == ""]
        assert "~* &* +@all" in ask("acl", "list"), "who is let in may do everything"
    # Whatever it is started for meanwhile.
    with valkey(*start, password=PASSWORD) as ask:
        assert opens(ask, before, PASSWORD) == [True, True]
        while opens(ask, before) == [True]:
            assert time.monotonic() < begin + grace + 5
            time.sleep(0.1)
        assert time.monotonic() > begin + grace - 5
        assert opens(ask, PASSWORD) == [True]
        # Said right after it is so.
        container = ask("/bin/cat", "/etc/hostname")
        while "Only the new password is accepted from now on" not in (said := docker("logs", container)):
            assert time.monotonic() < begin + grace + 10, said
            time.sleep(0.1)
        assert "The previous password, or none where there was none, is accepted for " in said
    with valkey(*start, password=PASSWORD) as ask:
        assert opens(ask, before, PASSWORD) == [False, True]
        assert ask("llen", "queue:default") == str(JOBS)
    note = tmp_path / "run" / "password"
    assert note.stat().st_mode & 0o777 == 0o600
    assert not {"first", PASSWORD} & set(note.read_text().split())


def test_the_one_before_that_opens_no_more(valkey: Valkey) -> None:
    for password, expected in [("first", [True, False, False]), ("second", [True, True, False])]:
        with valkey("/config/start.sh", "append-only", "600", password=password) as ask:
            assert opens(ask, "first", "second", "third") == expected
    with valkey("/config/start.sh", "append-only", "600", password="third") as ask:
        assert opens(ask, "first", "second", "third") == [False, True, True]


@pytest.mark.parametrize("before", ["first", ""])
def test_without_such_a_time_it_counts_at_once(valkey: Valkey, before: str) -> None:
    with valkey(*APPEND_ONLY, password=before):
        pass
    with valkey(*APPEND_ONLY, password="second") as ask:
        assert opens(ask, "first", "second", "") == [False, True, False]


def test_without_a_password_again(valkey: Valkey) -> None:
    with valkey("/config/start.sh", "append-only", "600", password="first"):
        pass
    with valkey("/config/start.sh", "append-only", "600") as ask:
        assert opens(ask, "first", "") == [True, True]


def test_it_starts_where_nothing_can_be_noted(valkey: Valkey, tmp_path: Path) -> None:
    """As on a full disk: nothing can be written to this name."""
    (tmp_path / "run" / "password.new").mkdir(parents=True)
    with valkey("/config/start.sh", "append-only", "600", password="first") as ask:
        assert opens(ask, "first", "") == [True, False]
