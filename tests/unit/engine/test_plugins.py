# SPDX-FileCopyrightText: 2026 The selfhosting.lago authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Filters, tests and the texts of other languages."""

import re

import pytest
import yaml
from ansible.errors import AnsibleFilterError
from ansible_collections.selfhosting.lago.plugins.filter import filters
from ansible_collections.selfhosting.lago.plugins.plugin_utils import text, versions
from ansible_collections.selfhosting.lago.plugins.test import tests
from virtual_host import PRODUCTS, VirtualHost

PATHS = [
    {"path": "/api/", "match": "prefix"},
    {"path": "/graphql", "match": "exact"},
    {"path": "/files/", "match": "prefix", "methods": ["GET", "HEAD"]},
]
GATES = [
    {"since": "v1.16.0", "command": ["old"], "create_organization": ["seed"]},
    {"since": "v1.52.0", "command": ["new"]},
]


@pytest.mark.parametrize(
    ("paths", "prefix", "expected"),
    [
        (PATHS[:1], "", "(PathPrefix(`/api/`))"),
        (PATHS[:2], "/api", "(PathPrefix(`/api/api/`) || Path(`/api/graphql`))"),
        (PATHS[2:], "", "((PathPrefix(`/files/`) && (Method(`GET`) || Method(`HEAD`))))"),
    ],
)
def test_traefik_path_rule(paths, prefix, expected):
    assert filters.traefik_path_rule(paths, prefix) == expected


def test_a_rule_without_paths_would_match_nothing_or_everything():
    with pytest.raises(AnsibleFilterError):
        filters.traefik_path_rule([])


def test_traefik_headers():
    assert filters.traefik_headers({"A": "1", "B": ""}, {"C": "2", "D": None}) == {
        "headers.customRequestHeaders.A": "1",
        "headers.customResponseHeaders.C": "2",
    }


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ((8388608, 1, 4), 2048),
        ((8388608, 3, 4), 6144),
        ((67108864, 1, 16, 2048), 2048),
        ((100, 1, 4), 1),
        (("2048", 1, 1), 2),
    ],
)
def test_memory(arguments, expected):
    assert filters.memory_kb_as_mb(*arguments) == expected


@pytest.mark.parametrize(
    ("version", "create", "expected"),
    [
        ("v1.16.0", False, ["old"]),
        ("v1.51.9", True, ["old", "seed"]),
        ("v1.52.0", True, ["new"]),
        ("v1.100.0-rc1", False, ["new"]),
    ],
)
def test_gate_command(version, create, expected):
    assert filters.gate_command(GATES, version, create) == expected


def test_no_gate_command_is_known():
    with pytest.raises(AnsibleFilterError, match=r"v1\.15\.0"):
        filters.gate_command(GATES, "v1.15.0", False)


@pytest.mark.parametrize(
    ("version", "since"),
    [
        ("v1.16.0", "db:migrate"),
        ("v1.41.0", "db:migrate"),
        ("v1.41.1", "roles:seed_predefined"),
        ("v1.52.1", "migrate.sh"),
    ],
)
def test_gate_commands_of_lago(version, since):
    host = VirtualHost()
    command = " ".join(filters.gate_command(host.variables["lago_gate_commands"], version, False))
    assert since in command
    assert "db:create" not in command
    assert ("roles:seed_predefined" in command) == (since == "roles:seed_predefined")


@pytest.mark.parametrize(
    ("reference", "name"),
    [
        ("docker.io/getlago/api:v1.52.1", "getlago/api:v1.52.1"),
        ("getlago/api:v1.52.1", "getlago/api:v1.52.1"),
        ("localhost/getlago/api:v1.52.1", "getlago/api:v1.52.1"),
        ("registry.example.com:5000/getlago/api:v1.52.1@sha256:00", "getlago/api:v1.52.1"),
        ("docker.io/library/traefik:v3", "traefik:v3"),
        ("traefik:v3", "traefik:v3"),
    ],
)
def test_image_names(reference, name):
    assert filters.image_name(reference) == name


def test_digests_of_images():
    digests = {"docker.io/getlago/api:v1": "sha256:1", "library/traefik:v3": "sha256:3"}
    assert filters.with_digest("mirror:5000/getlago/api:v1", digests) == "mirror:5000/getlago/api:v1@sha256:1"
    assert filters.with_digest("traefik:v3", digests) == "traefik:v3@sha256:3"
    assert filters.with_digest("getlago/api:v1@sha256:2", digests) == "getlago/api:v1@sha256:2"
    for other in ("getlago/api:v2", "getlago/front:v1", "traefik:v3-alpine"):
        assert filters.with_digest(other, digests) == other


def test_every_image_can_have_a_digest():
    host = VirtualHost()
    plain = {name: images(host, name) for name in PRODUCTS}
    digest = "sha256:" + "0" * 64
    names = ["postgres:17-trixie", *(filters.image_name(one) for found in plain.values() for one in found)]
    names = [name for name in names if "partman" not in name]
    assert len(set(names)) == 7
    pinned = VirtualHost(change={"mash_playbook_image_digests_custom": dict.fromkeys(names, digest)})
    for name in PRODUCTS:
        assert images(pinned, name) == [one if "partman" in one else f"{one}@{digest}" for one in plain[name]]
    assert pinned.evaluate("postgres_container_image_base").endswith(f"postgres:17-trixie@{digest}")


def images(host, name):
    found = [entry["image"] for entry in host.product(name).names() if entry["image"]]
    # The image that is built here has a hash of its Dockerfile in its tag.
    return [re.sub(r"(partman:17)-\w+", r"\1", one) for one in found]


def test_container_mounts():
    volumes = [
        {"type": "bind", "src": "/a", "dst": "/b", "options": "readonly"},
        {"type": "tmpfs", "dst": "/c"},
    ]
    assert filters.container_mounts(volumes) == [
        {"raw": "type=bind,src=/a,dst=/b,readonly"},
        {"raw": "type=tmpfs,dst=/c"},
    ]


@pytest.mark.parametrize(
    ("value", "expected"), [("a/b:c@d", "a%2Fb%3Ac%40d"), ("p%ss w", "p%25ss%20w"), (12, "12"), ("ü", "%C3%BC")]
)
def test_percent_encode(value, expected):
    assert text.percent_encode(value) == expected


def test_sql():
    assert text.sql_literal("it's \\ok") == "'it''s \\ok'"
    assert text.sql_identifier('a"b') == '"a""b"'


@pytest.mark.parametrize(("value", "expected"), [("a'b<&", '"a\'b<&"'), ('q"b\\', '"q\\"b\\\\"')])
def test_double_quoted(value, expected):
    assert text.double_quoted(value) == expected


def test_yaml_with():
    merged = text.yaml_with({"a": {"b": 1, "c": [1]}, "d": "x"}, "a: {c: [2], e: 3}\nd: null")
    assert yaml.safe_load(merged) == {"a": {"b": 1, "c": [2], "e": 3}, "d": None}
    assert text.yaml_with({"b": 1, "a": 2}) == "b: 1\na: 2\n"


@pytest.mark.parametrize(
    ("value", "expected"),
    [("v1.52.1", (1, 52, 1)), ("1.52.1", (1, 52, 1)), ("v1.53.0-broken", (1, 53, 0)), ("v10.0.0", (10, 0, 0))],
)
def test_versions(value, expected):
    assert versions.lago_version(value) == expected


@pytest.mark.parametrize("value", ["", "latest", "v1.52", "v1.52.1.2", "v1.52.x", "v1.52.1\n", None, 1.52, "v1.52.1 "])
def test_what_is_no_version(value):
    with pytest.raises(ValueError, match=r"expected something like v1\.52\.1"):
        versions.lago_version(value)


@pytest.mark.parametrize(
    ("value", "lowest", "expected"),
    [
        ("v1.16.0", "v1.16.0", True),
        ("v1.15.99", "v1.16.0", False),
        ("v1.100.0", "v1.16.0", True),
        ("x", "v1.16.0", False),
    ],
)
def test_lago_version_from(value, lowest, expected):
    assert tests.lago_version_from(value, lowest) is expected


@pytest.mark.parametrize(
    ("value", "highest", "expected"),
    [
        ("v1.52.9", "v1.52.1", True),
        ("v1.53.0", "v1.52.1", False),
        ("v2.0.0", "v1.52.1", False),
        ("x", "v1.52.1", False),
    ],
)
def test_lago_version_up_to(value, highest, expected):
    assert tests.lago_version_up_to(value, highest) is expected


@pytest.mark.parametrize(
    "value", ["a", "lago.example.com", "LAGO.example.com", "xn--bcher-kva.example", "1.2.3.4", "a" * 63]
)
def test_hostname(value):
    assert tests.hostname(value)


@pytest.mark.parametrize(
    "value",
    ["", None, True, 5, "a b", "a.", ".a", "-a", "a-", "a_b", "a:1", "http://a", "a\n", "a" * 64, "a." * 127 + "aa"],
)
def test_what_is_no_hostname(value):
    assert not tests.hostname(value)


@pytest.mark.parametrize("value", ["a:1", "sentinel.example.com:26379", "192.0.2.1:65535"])
def test_host_and_port(value):
    assert tests.host_and_port(value)


@pytest.mark.parametrize(
    "value", ["", "a", "a:", ":1", "a:0", "a:65536", "a:b", "redis://a:1", "a:1,b:1", " a:1", None, 1]
)
def test_what_is_no_host_and_port(value):
    assert not tests.host_and_port(value)


@pytest.mark.parametrize(("value", "expected"), [("la-go_1.~", True), ("", False), ("a:b", False), ("a%40b", False)])
def test_plain_user_name(value, expected):
    assert tests.plain_user_name(value) is expected


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (("a", 6379, 0), "redis://a:6379/0"),
        (("a", 6379, 1, "", "p/w+ %:@"), "redis://:p%2Fw%2B%20%25%3A%40@a:6379/1"),
        (("a", 6380, 2, "lago", "pw", True), "rediss://lago:pw@a:6380/2"),
        (("a", 6379, 0, "lago", ""), "redis://a:6379/0"),
        (("fd00::1", 6379, 0), "redis://[fd00::1]:6379/0"),
        (("[fd00::1]", 6379, 0), "redis://[fd00::1]:6379/0"),
    ],
)
def test_redis_url(arguments, expected):
    assert text.redis_url(*arguments) == expected


def test_all_are_offered():
    assert set(filters.FilterModule().filters()) >= {"traefik_path_rule", "gate_command", "container_mounts"}
    assert set(tests.TestModule().tests()) == {
        "environment_text",
        "host_and_port",
        "hostname",
        "lago_version_from",
        "lago_version_up_to",
        "plain_user_name",
        "rsa_private_key",
    }


def test_other_clocks_on_one_server_and_on_others():
    here = {"selfhosting_probe": {"server": {"machine": "a"}}}
    there = {"selfhosting_probe": {"server": {"machine": "b"}}}
    lago = {"lago_enabled": True, "lago_database_hostname": "mash-postgres"}
    hostvars = {"me": {**here, **lago}, "same": {**here, **lago}, "other": {**there, **lago}, "none": {**here}}
    database = ["mash-postgres", "5432", "lago"]
    assert filters.other_clocks(hostvars, hostvars, "me", database) == ["same"]
    hostvars["same"]["lago_api_clock_enabled"] = "no"
    assert filters.other_clocks(hostvars, hostvars, "me", database) == []


@pytest.mark.parametrize(
    ("password", "salt", "expected"),
    [
        # What openssl passwd -apr1 -salt <salt> <password> says.
        ("a", "0a1b2c3d", "$apr1$0a1b2c3d$CkWQrGySenweyEFSPnmgZ1"),
        ("correct horse battery staple", "xxxxxxxx", "$apr1$xxxxxxxx$aa6iQUT7DvRPyNT0UoS.F0"),
        ("p%ss$w'rd", "saltsalt", "$apr1$saltsalt$VqZ.Xv.DqKr.zIo5wTTtP."),
        ("sixteen letters!", "12345678", "$apr1$12345678$/hxkpIWfcfUDOXsr8MLxB1"),
        ("xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx", "abcdefgh", "$apr1$abcdefgh$7h4098paklNpzdB9KwCdh/"),
    ],
)
def test_htpasswd(password, salt, expected):
    assert text.htpasswd(password, salt) == expected
