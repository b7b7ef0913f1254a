# SPDX-FileCopyrightText: 2026 The selfhosting.lago authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""The start script of the Valkey role: a snapshot becomes an append only file, and nothing in it is lost."""

from __future__ import annotations

import contextlib
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(REPOSITORY / "molecule"))

from testbed import catalogue  # noqa: E402

JOBS = 1000
SCRIPT = REPOSITORY / "roles" / "valkey" / "templates" / "start.sh"
CONFIGURATION = "port 6379\nprotected-mode no\ndir /data\nappendonly yes\nappendfsync everysec\n"

Valkey = Callable[..., contextlib.AbstractContextManager[Callable[..., str]]]


def docker(*arguments: str, check: bool = True) -> str:
    done = subprocess.run(["docker", *arguments], capture_output=True, text=True, check=False)
    assert not check or done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.fixture
def valkey(tmp_path: Path) -> Valkey:
    """Runs a Valkey on the same data again and again; gives a function that asks it."""
    image = next(image for image in catalogue.load() if image.name.startswith("valkey/"))
    data, config = tmp_path / "data", tmp_path / "config"
    data.mkdir(mode=0o777)
    data.chmod(0o777)
    config.mkdir()
    (config / "start.sh").write_text(SCRIPT.read_text())
    (config / "start.sh").chmod(0o755)
    (config / "valkey.conf").write_text(CONFIGURATION)

    @contextlib.contextmanager
    def run(*command: str, stop: str = "stop") -> Iterator[Callable[..., str]]:
        mounts = [f"--volume={data}:/data", f"--volume={config}:/config:ro"]
        container = docker("run", "--detach", "--user=0", *mounts, image.local_name, *command)
        try:
            deadline = time.monotonic() + 30
            while docker("exec", container, "valkey-cli", "ping", check=False) != "PONG":
                assert time.monotonic() < deadline, docker("logs", container)
                time.sleep(0.1)
            yield lambda *words: docker("exec", container, "valkey-cli", *words)
            docker(stop, container)
        finally:
            docker("rm", "--force", "--volumes", container)

    return run


def push(ask: Callable[..., str]) -> None:
    ask("eval", f"for i = 1, {JOBS} do redis.call('lpush', 'queue:default', i) end", "0")


def test_a_snapshot_becomes_an_append_only_file(valkey: Valkey) -> None:
    with valkey("valkey-server", "--dir", "/data", "--save", "3600 1", "--protected-mode", "no") as ask:
        push(ask)
    with valkey("/config/start.sh") as ask:
        assert ask("llen", "queue:default") == str(JOBS)
        assert "aof_enabled:1" in ask("info", "persistence")
        ask("rpop", "queue:default")
    # The second start finds the file and leaves the old snapshot alone.
    with valkey("/config/start.sh") as ask:
        assert ask("llen", "queue:default") == str(JOBS - 1)


def test_a_conversion_that_died_is_begun_again(valkey: Valkey, tmp_path: Path) -> None:
    with valkey("valkey-server", "--dir", "/data", "--save", "3600 1", "--protected-mode", "no") as ask:
        push(ask)
    # What a server leaves that was killed before it wrote its manifest.
    (tmp_path / "data" / "appendonlydir").mkdir(mode=0o777)
    (tmp_path / "data" / "appendonlydir" / "appendonly.aof.1.incr.aof").touch()
    with valkey("/config/start.sh") as ask:
        assert ask("llen", "queue:default") == str(JOBS)


def test_a_killed_server_keeps_what_was_written_a_second_before(valkey: Valkey) -> None:
    with valkey("/config/start.sh", stop="kill") as ask:
        push(ask)
        deadline = time.monotonic() + 5
        while "aof_pending_bio_fsync:0" not in ask("info", "persistence") and time.monotonic() < deadline:
            time.sleep(0.1)
    with valkey("/config/start.sh") as ask:
        assert ask("llen", "queue:default") == str(JOBS)
