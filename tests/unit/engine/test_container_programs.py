# SPDX-FileCopyrightText: 2026 The selfhosting.lago authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""What runs before a stop: against an invented Docker and invented processes."""

import importlib.util
import threading

import pytest
from virtual_host import REPOSITORY

BUSY, IDLE = "sidekiq 7.3.2 app [1 of 2 busy]", "sidekiq 7.3.2 app [0 of 2 busy]"
# Answers with what the test has written, and notes what it was asked.
DOCKER = """#!/bin/sh
echo "$@" >>"{directory}/asked"
case $1 in
  inspect) [ -s "{directory}/inspect" ] && cat "{directory}/inspect" ;;
  *) [ ! -e "{directory}/fails-$1" ] ;;
esac
"""


@pytest.fixture
def docker(tmp_path, monkeypatch):
    program = tmp_path / "bin" / "docker"
    program.parent.mkdir()
    program.write_text(DOCKER.format(directory=tmp_path))
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(program.parent), prepend=":")
    return tmp_path


def asked(docker):
    lines = (docker / "asked").read_text().splitlines()
    return [line for line in lines if not line.startswith("inspect ")]


def program(name):
    path = REPOSITORY / "plugins" / "plugin_utils" / "files" / f"{name}.py"
    specification = importlib.util.spec_from_file_location(name.replace("-", "_"), path)
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    module.INTERVAL = 0.01
    return module


@pytest.fixture
def quiet(docker):
    module = program("container-quiet")
    module.PROC = str(docker / "proc")
    (docker / "inspect").write_text("77\n")
    return module


def process(docker, title, *threads):
    directory = docker / "proc" / "77"
    (directory / "task").mkdir(parents=True, exist_ok=True)
    (directory / "cmdline").write_text(title.replace(" ", "\0") + "\0\0")
    for number, name in enumerate(threads):
        (directory / "task" / str(number)).mkdir(exist_ok=True)
        (directory / "task" / str(number) / "comm").write_text(f"{name}\n")


def test_a_worker_with_a_job_is_waited_for(docker, quiet, capsys, monkeypatch):
    process(docker, BUSY, "sidekiq", "sidekiq.default", "sidekiq.heartbe")
    end = threading.Timer(0.2, lambda: process(docker, BUSY, "sidekiq", "ruby"))
    command = quiet.docker

    def docker_and_the_end_of_its_job(*arguments):
        answer = command(*arguments)
        if arguments[0] == "kill":
            end.start()
        return answer

    monkeypatch.setattr(quiet, "docker", docker_and_the_end_of_its_job)
    assert quiet.main(["--timeout=60", "mash-w", "TSTP"]) == 0
    assert "mash-w has no job in progress after " in capsys.readouterr().out
    assert asked(docker) == ["kill --signal=TSTP mash-w"]
    end.join()


def test_a_worker_that_does_not_finish_is_not_waited_for_longer(docker, quiet, capsys):
    process(docker, BUSY, "sidekiq.default")
    assert quiet.main(["--timeout=0.1", "mash-w", "TSTP"]) == 0
    assert "mash-w still works after 0 s; what it does not finish goes back to its queue" in capsys.readouterr().out


def test_with_other_names_of_threads_the_title_says_when_it_is_done(docker, quiet, capsys):
    # Idle from before the signal: that says nothing of a job that has come meanwhile.
    process(docker, IDLE, "ruby")
    assert quiet.main(["--timeout=0.1", "mash-w", "TSTP"]) == 0
    assert "still works" in capsys.readouterr().out
    process(docker, f"{IDLE} stopping", "ruby")
    assert quiet.main(["--timeout=20", "mash-w", "TSTP"]) == 0
    assert "no job in progress" in capsys.readouterr().out


def test_a_worker_that_ends_by_itself(docker, quiet):
    assert quiet.main(["--timeout=20", "mash-w", "TSTP"]) == 0


@pytest.mark.parametrize("state", ["0\n", ""])
def test_a_worker_that_does_not_run_gets_no_signal(docker, quiet, state):
    (docker / "inspect").write_text(state)
    assert quiet.main(["--timeout=20", "mash-w", "TSTP"]) == 0
    assert asked(docker) == []


def health(status, running=True):
    return {"State": {"Running": running, "Health": {"Status": status}}}


@pytest.fixture
def pool(docker, monkeypatch):
    """The program, and what Docker says of the container."""
    module = program("container-pool")
    module.SETTLE, module.TIMEOUT = 0, 0.3
    said = [health("healthy")]
    # The last answer for ever.
    monkeypatch.setattr(module, "inspect", lambda _name: said.pop(0) if len(said) > 1 else said[0])
    return module, said


def test_into_the_pool(docker, pool):
    module, said = pool
    said[:] = [health("starting"), None, health("starting"), health("healthy")]
    assert module.main(["join", "mash-a", "/tmp/in"]) == 0
    assert asked(docker) == ["exec mash-a touch /tmp/in"]
    assert said == [health("healthy")]


@pytest.mark.parametrize("state", [health("starting"), health("healthy", running=False), {}, None])
def test_what_does_not_get_healthy_has_not_started(docker, pool, state, capsys):
    module, said = pool
    said[:] = [state]
    assert module.main(["join", "mash-a", "/tmp/in"]) == 1
    assert "mash-a: Docker did not find it healthy" in capsys.readouterr().err


def test_out_of_the_pool(docker, pool):
    module, said = pool
    said[:] = [health("healthy"), health("healthy"), health("unhealthy")]
    assert module.main(["leave", "mash-a", "/tmp/in"]) == 0
    assert said == [health("unhealthy")], "it did not wait for Docker"
    assert asked(docker) == ["exec mash-a rm -f /tmp/in"]


@pytest.mark.parametrize("problem", ["exec", "inspect"])
def test_a_stop_goes_on_in_any_case(docker, pool, problem):
    module, said = pool
    if problem == "exec":
        (docker / "fails-exec").touch()
    else:
        said[:] = [{}]
    assert module.main(["leave", "mash-a", "/tmp/in"]) == 0
    assert module.main(["join", "mash-a", "/tmp/in"]) == 1


SYSTEMCTL = """#!/bin/sh
echo "systemctl $@" >>"{directory}/asked"
eval "unit=\\${{$#}}"
if [ "$1" = show ]; then cat "{directory}/state-$unit"; fi
if [ "$1" = list-jobs ]; then cat "{directory}/jobs"; fi
"""
WORKER = "Wants=mash-db.service\n[X-SelfHosting]\nQuiet=TSTP\n"


@pytest.fixture
def users(docker, monkeypatch):
    """A database with two workers, an API, and a worker of something else."""
    module = program("container-users")
    systemctl = docker / "bin" / "systemctl"
    systemctl.write_text(SYSTEMCTL.format(directory=docker))
    systemctl.chmod(0o755)
    units = {"a": WORKER, "b": WORKER, "api": "Wants=mash-db.service\n", "other": WORKER.replace("mash-db", "mash-x")}
    (docker / "units").mkdir()
    for name, text in units.items():
        (docker / "units" / f"{name}.service").write_text(text)
        (docker / f"state-{name}.service").write_text("active\n")
    (docker / "inspect").write_text("true\n")
    (docker / "jobs").write_text("")
    monkeypatch.setattr(module, "UNITS", str(docker / "units"))
    monkeypatch.setenv("STATE_DIRECTORY", str(docker))
    return module


def acted(docker):
    return [line for line in asked(docker) if line.startswith("systemctl st")]


def test_workers_are_stopped_before_what_they_need_and_started_after_it(docker, users):
    assert users.main(["--timeout=20", "stop", "mash-db"]) == 0
    assert acted(docker) == ["systemctl stop -- a.service b.service"]
    assert users.main(["--timeout=20", "start", "mash-db"]) == 0
    assert acted(docker)[1:] == ["systemctl start --no-block -- a.service b.service"]
    assert users.main(["--timeout=20", "start", "mash-db"]) == 0
    assert len(acted(docker)) == 2, "only what was stopped for it, and once"


def test_a_worker_that_is_down_stays_so_and_one_that_ends_is_waited_for(docker, users):
    (docker / "state-a.service").write_text("inactive\n")
    (docker / "state-b.service").write_text("deactivating\n")
    users.main(["--timeout=20", "stop", "mash-db"])
    users.main(["--timeout=20", "start", "mash-db"])
    assert acted(docker) == ["systemctl stop -- b.service"]


@pytest.mark.parametrize("state", ["false\n", ""])
def test_what_ended_by_itself_waits_for_no_worker(docker, users, state):
    (docker / "inspect").write_text(state)
    assert users.main(["--timeout=20", "stop", "mash-db"]) == 0
    assert users.main(["--timeout=20", "start", "mash-db"]) == 0
    assert acted(docker) == []


def test_a_worker_that_does_not_stop_is_not_waited_for_longer(docker, users):
    systemctl = docker / "bin" / "systemctl"
    systemctl.write_text(systemctl.read_text() + 'if [ "$1" = stop ]; then exec sleep 20; fi\n')
    assert users.main(["--timeout=0.2", "stop", "mash-db"]) == 0
    assert (docker / "mash-db").exists()


RESTART = "7 mash-x.service stop running\n8 mash-db.service restart running\n"


def held(docker):
    return [line for line in asked(docker) if "pause" in line]


def test_requests_are_held_while_what_they_need_restarts(docker, users):
    (docker / "jobs").write_text(RESTART)
    assert users.main(["--timeout=15", "hold", "mash-db"]) == 0
    assert held(docker) == ["pause api"], "workers are stopped, not held"
    users.main(["--timeout=15", "release", "mash-db"])
    assert held(docker) == ["pause api"], "it will be back"
    users.main(["--timeout=600", "start", "mash-db"])
    users.main(["--timeout=600", "start", "mash-db"])
    assert held(docker) == ["pause api", "unpause api"]


def test_held_requests_go_on_where_it_does_not_come_back(docker, users):
    (docker / "jobs").write_text(RESTART)
    users.main(["--timeout=15", "hold", "mash-db"])
    (docker / "jobs").write_text("")
    assert users.main(["--timeout=15", "release", "mash-db"]) == 0
    assert held(docker) == ["pause api", "unpause api"]


@pytest.mark.parametrize("jobs", ["", "8 mash-db.service stop running\n", "7 mash-x.service restart running\n"])
def test_nothing_is_held_for_a_stop(docker, users, jobs):
    (docker / "jobs").write_text(jobs)
    assert users.main(["--timeout=15", "hold", "mash-db"]) == 0
    assert held(docker) == []
