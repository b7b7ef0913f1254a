# SPDX-FileCopyrightText: 2026 The selfhosting.lago authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Reading the vendor's compose project."""

import pytest
from ansible_collections.selfhosting.lago.plugins.module_utils import compose
from compose_projects import containers_of, inspected, project_of


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("A=1\n", {"A": "1"}),
        ("export A=1", {"A": "1"}),
        ("A: 1", {"A": "1"}),
        ("# A=1\n\n  \nB=2", {"B": "2"}),
        ("A=b c  # and a comment", {"A": "b c"}),
        ("A=b#c", {"A": "b#c"}),
        ("A='b # $C' # comment\nB=2", {"A": "b # $C", "B": "2"}),
        ('A="b # c" # comment\nB=2', {"A": "b # c", "B": "2"}),
        ('A="b\\nc\\"d\\\\e"', {"A": 'b\nc"d\\e'}),
        ('A="first\nsecond"\nB=2', {"A": "first\nsecond", "B": "2"}),
        ("A='first\nsecond'\nB=2", {"A": "first\nsecond", "B": "2"}),
        ("A=1\nB=${A}2$A", {"A": "1", "B": "121"}),
        ('A=1\nB="${A}2"', {"A": "1", "B": "12"}),
        ("B=${A:-one}${A-two}", {"B": "onetwo"}),
        ("A=\nB=${A:-one}${A-two}", {"A": "", "B": "one"}),
        ("A=1\nB=${A:+one}${C:+two}", {"A": "1", "B": "one"}),
        ("A=b$$c", {"A": "b$c"}),
        ('A="b\\$c"', {"A": "b$c"}),
        ("A=b=c", {"A": "b=c"}),
        ("A='not closed", {"A": "'not closed"}),
        ("no assignment\nA=1", {"A": "1"}),
        ("A=", {"A": ""}),
    ],
)
def test_env_file(text, values):
    assert compose.parse_env(text) == values


def test_what_the_shell_sets_wins_where_it_is_referred_to():
    assert compose.parse_env("A=1\nB=$A", {"A": "of the shell"})["B"] == "of the shell"


def test_a_container_says_what_was_set_and_not_what_its_image_has():
    one = inspected("api", "getlago/api:v1.51.0", "./scripts/start.api.sh", {"A": "1", "B": "2"})
    found = compose.described(one, {"Config": {"Env": ["PATH=/bin", "A=1", "B=of the image", "LAGO_VERSION=v1.51.0"]}})
    assert found["environment"] == {"B": "2"}
    assert found["image_environment"] == {"LAGO_VERSION": "v1.51.0"}
    assert found["names"] == ["api", "lago-api"]
    assert found["policy"] == "unless-stopped"


@pytest.mark.parametrize(
    ("image", "command", "process"),
    [
        ("getlago/api:v1.51.0", "./scripts/start.api.sh", "api"),
        ("getlago/api:v1.51.0", "./scripts/start.sh", "api"),
        ("ghcr.io/getlago/api:v1.51.0", "./scripts/start.worker.sh", "worker"),
        ("registry:5000/lago-api@sha256:1", "./scripts/start.events.worker.sh", "worker"),
        ("getlago/api:v1.51.0", "./scripts/start.clock.sh", "clock"),
        ("getlago/api:v1.51.0", "./scripts/start.clock.worker.sh", "worker"),
        ("getlago/api:v1.51.0", "./scripts/start.events.consumer.sh", "consumer"),
        ("getlago/api:v1.51.0", "bash -c ./scripts/migrate.sh", "migrate"),
        ("getlago/front:v1.51.0", "anything", "front"),
        ("gotenberg/gotenberg:8", "gotenberg", "pdf"),
        ("certbot/certbot", "certbot", ""),
        ("postgres:15-alpine", "postgres", ""),
    ],
)
def test_what_a_container_is(image, command, process):
    assert compose.process_of(compose.described(inspected("x", image, command), {})) == process


def test_processes_of_the_project():
    assert project_of(containers_of())["processes"] == {
        "api": ["lago-api"],
        "clock": ["lago-api-clock"],
        "worker": ["lago-api-worker"],
        "migrate": ["lago-migrate"],
        "front": ["lago-front"],
        "pdf": ["lago-pdf"],
        "postgres": ["lago-db"],
        "redis": ["lago-redis"],
    }


def test_a_database_elsewhere_is_no_container_of_the_project():
    elsewhere = {"DATABASE_URL": "postgresql://lago:x@db.example.com/lago"}
    assert "postgres" not in project_of(containers_of(elsewhere))["processes"]


def test_containers_of_a_directory(tmp_path):
    labels = {"com.docker.compose.project.working_dir": str(tmp_path), "com.docker.compose.project": "lago"}
    listed = [{"Id": "1", "Labels": labels}, {"Id": "2", "Labels": {}}, {"Id": "3", "Labels": None}]
    assert compose.of_project(listed, str(tmp_path)) == (["1"], ["lago"])


def test_endpoint():
    assert compose.endpoint("postgresql://la%40go:p%2Fw@db:5433/main?x=1") == {
        "username": "la@go",
        "password": "p/w",
        "hostname": "db",
        "port": 5433,
        "path": "main",
    }
