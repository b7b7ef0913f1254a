# SPDX-FileCopyrightText: 2026 The selfhosting.lago authors
# SPDX-License-Identifier: AGPL-3.0-or-later
import re

import pytest
from ansible_collections.selfhosting.lago.plugins.plugin_utils.definition import DefinitionError
from ansible_collections.selfhosting.lago.plugins.plugin_utils.render import (
    create_arguments,
    environment_lines,
    mount_value,
    systemd_word,
)


def files_of(renderer, service, files=()):
    return {file["path"]: file for file in renderer.service_files(service, list(files))}


def unit_of(renderer, service, files=(), suffix="service"):
    return files_of(renderer, service, files)[f"/etc/systemd/system/{service['name']}.{suffix}"]["content"]


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("plain-word_1.0:/x@y,z=+", "plain-word_1.0:/x@y,z=+"),
        ("", '""'),
        ("two words", '"two words"'),
        ("100%", '"100%%"'),
        ("$HOME", '"$$HOME"'),
        ('say "hi"', '"say \\"hi\\""'),
        ("it's", '"it\'s"'),
        ("back\\slash", '"back\\\\slash"'),
        (";", '";"'),
        (42, "42"),
    ],
)
def test_a_word_of_a_command_line(word, expected):
    assert systemd_word(word) == expected


def test_a_command_line_holds_no_line_break():
    with pytest.raises(DefinitionError, match=r"line break: 'a\\nb'"):
        systemd_word("a\nb")


@pytest.mark.parametrize(
    ("variables", "text", "expected"),
    [
        ({"A": None, "B": ""}, "", {"B": ""}),
        ({"A": True, "B": False}, "", {"A": "true", "B": "false"}),
        ({"A": 1, "B": "x=y #z"}, "", {"A": "1", "B": "x=y #z"}),
        ({"A": "1", "B": "2"}, "B=3\nC=4\n", {"A": "1", "B": "3", "C": "4"}),
        ({}, "# A=1\n\n  B = spaced\n".replace(" = ", "="), {"B": "spaced"}),
        ({}, "A=b=c\nD=", {"A": "b=c", "D": ""}),
        ({"A": None}, "A=given", {"A": "given"}),
    ],
)
def test_environment(variables, text, expected):
    assert environment_lines(variables, text) == expected


@pytest.mark.parametrize("value", ["verysecret\nb", "verysecret\rb", "verysecret\n"])
def test_environment_refuses_line_breaks(value):
    with pytest.raises(DefinitionError, match=r"SECRET: .* line break") as raised:
        environment_lines({"SECRET": value})
    assert "verysecret" not in str(raised.value)


@pytest.mark.parametrize("line", ["NAME", "NA ME=x", "1A=x", "=x", "NAME =x", "export A=x", "NAME: x"])
def test_environment_refuses_lines_that_are_none(line):
    with pytest.raises(DefinitionError, match="expected NAME=value"):
        environment_lines({}, f"GOOD=1\n{line}\n")


def test_a_bad_line_shows_no_value():
    with pytest.raises(DefinitionError) as raised:
        environment_lines({}, "MY KEY=very-secret")
    assert "very-secret" not in str(raised.value)


@pytest.mark.parametrize(
    ("mount", "expected"),
    [
        ({"source": "/a", "target": "/b"}, "type=bind,source=/a,target=/b,readonly"),
        ({"source": "/a", "target": "/b", "read_only": False}, "type=bind,source=/a,target=/b"),
        ({"source": "volume", "target": "/b"}, "type=volume,source=volume,target=/b,readonly"),
        ({"raw": "type=tmpfs,dst=/c"}, "type=tmpfs,dst=/c"),
    ],
)
def test_mounts(service, mount, expected):
    (resolved,) = service(mounts=[mount])["mounts"]
    assert mount_value(resolved) == expected


def test_least_privilege_is_the_default(service):
    arguments = create_arguments(service(), [], None)
    assert {"--read-only", "--cap-drop=ALL", "--security-opt=no-new-privileges", "--pull=never"} <= set(arguments)
    assert not [argument for argument in arguments if argument.startswith(("--publish", "--privileged", "--cap-add"))]


def test_arguments(service):
    arguments = create_arguments(
        service(
            user="1:2",
            entrypoint="/e",
            memory="1g",
            cpus="0.5",
            capabilities=["CHOWN"],
            ports=["127.0.0.1:80:8080"],
            tmpfs={"/tmp": "rw,size=1m"},
            read_only=False,
            extra_groups=["5"],
            extra_arguments=["--dns 192.0.2.1"],
            command=["run", "50 %"],
            networks=["first", "second"],
        ),
        ["/x/env"],
        "/x/labels",
    )
    assert arguments[-4:] == ["--dns 192.0.2.1", "example.com/a:1", "run", '"50 %%"']
    expected = ["--user=1:2", "--entrypoint=/e", "--memory=1g", "--cpus=0.5", "--cap-add=CHOWN", "--group-add=5"]
    expected += ["--publish=127.0.0.1:80:8080", "--tmpfs=/tmp:rw,size=1m", "--network=first", "--env-file=/x/env"]
    assert {*expected, "--label-file=/x/labels"} <= set(arguments)
    assert "--read-only" not in arguments


def test_a_network_named_twice_is_connected_once(renderer, service):
    unit = unit_of(renderer, service(networks=["a", "b", "a", "b", "c"]))
    assert re.findall(r"network connect (\S+) mash-a", unit) == ["b", "c"]


def test_needs_are_wanted_once_and_never_docker(renderer, service):
    unit = unit_of(renderer, service(needs=["mash-b", "mash-b.service", "docker.service", "mnt-data.mount"]))
    wants = [line for line in unit.splitlines() if line.startswith("Wants=")]
    assert wants == ["Wants=mash-b.service", "Wants=mnt-data.mount"]
    assert "After=mnt-data.mount" in unit
    assert [line for line in unit.splitlines() if line.startswith("Requires=")] == ["Requires=docker.service"]


def test_a_unit_records_what_its_container_is_made_from(renderer, service):
    made = service(
        environment={"A": 1},
        environment_files=["/mash/shared"],
        labels=["x=y"],
        mounts=[{"source": "/mash/a/config", "target": "/config"}, {"source": "/mash/a/one.conf", "target": "/one"}],
    )
    files = [
        {"path": "/mash/a/config/in.conf", "restarts": True},
        {"path": "/mash/a/config/watched.yml", "restarts": False},
        {"path": "/mash/a/configuration", "restarts": True},
        {"path": "/mash/a/one.conf", "restarts": True},
    ]
    (line,) = [line for line in unit_of(renderer, made, files).splitlines() if "sha256sum" in line]
    assert line.split("sha256sum ")[1].split(" >")[0].split() == [
        *("/etc/systemd/system/mash-a.service", "/mash/shared", "/mash/a/env", "/mash/a/labels"),
        *("/mash/a/config/in.conf", "/mash/a/one.conf"),
    ]


def test_without_environment_and_labels_there_are_no_files(renderer, service):
    assert list(files_of(renderer, service())) == ["/etc/systemd/system/mash-a.service"]


def test_kinds(renderer, service):
    long_running = unit_of(renderer, service(ready="tcp 80"))
    assert "Restart=always" in long_running
    assert "WantedBy=multi-user.target docker.service" in long_running
    assert "container-ready --timeout=180 mash-a tcp 80" in long_running
    step = unit_of(renderer, service(kind="one-shot", ready="tcp 80"))
    assert "Type=oneshot" in step
    assert "Restart=" not in step
    assert "[Install]" not in step
    assert "container-ready" not in step
    timed = service(kind="timer", on_calendar="daily", randomized_delay="1h", description="50 %")
    timer = unit_of(renderer, timed, suffix="timer")
    assert "Type=oneshot" in unit_of(renderer, timed)
    assert "OnCalendar=daily\nRandomizedDelaySec=1h\n" in timer
    assert "Description=50 %%\n" in timer
    assert "RandomizedDelaySec" not in unit_of(renderer, service(kind="timer", on_calendar="daily"), suffix="timer")


def test_a_step_runs_before_its_neighbours_files_are_there(renderer, service):
    """What it mounts may be written later in the run, with the service whose it is: only a service notes it."""
    assert "sha256sum" not in unit_of(renderer, service(kind="one-shot"))
    assert "sha256sum" in unit_of(renderer, service())


def test_commands_before_the_start(renderer, service):
    lines = unit_of(renderer, service(pre_start=["/bin/convert a"])).splitlines()
    assert "ExecStartPre=/bin/convert a" in lines
    (create,) = [number for number, line in enumerate(lines) if "docker create" in line]
    assert lines.index("ExecStartPre=/bin/convert a") < create


def test_stop(renderer, service):
    unit = unit_of(renderer, service(stop_time=45, pre_stop=["-/bin/quiet"]))
    stops = [line for line in unit.splitlines() if line.startswith(("ExecStop=", "TimeoutStopSec="))]
    assert stops == ["ExecStop=-/bin/quiet", "ExecStop=/usr/bin/docker stop --time=45 mash-a", "TimeoutStopSec=75"]


def routing(**router):
    entry = {"rule": "Host(`a`)", "service": "s", "entrypoints": "web-secure", "priority": 0, "tls": True}
    entry |= {"middlewares": [], "cert_resolver": "", **router}
    services, middlewares = {"s": {"loadbalancer.server.port": 80}}, {"m": {"compress": "true"}}
    return {"network": "traefik", "services": services, "middlewares": middlewares, "routers": {"r": entry}}


@pytest.mark.parametrize(
    ("router", "expected"),
    [
        ({}, ["tls=true"]),
        ({"cert_resolver": "default"}, ["tls=true", "tls.certResolver=default"]),
        ({"tls": False, "cert_resolver": "default"}, ["tls=false"]),
        ({"priority": 5, "middlewares": ["a", "b"]}, ["priority=5", "middlewares=a,b", "tls=true"]),
    ],
)
def test_labels(renderer, service, router, expected):
    labels = files_of(renderer, service(routing=routing(**router), labels=["own=1"]))["/mash/a/labels"]
    always = ["rule=Host(`a`)", "service=s", "entrypoints=web-secure"]
    assert labels["content"].splitlines() == [
        *("traefik.enable=true", "traefik.docker.network=traefik"),
        *("traefik.http.services.s.loadbalancer.server.port=80", "traefik.http.middlewares.m.compress=true"),
        *(f"traefik.http.routers.r.{option}" for option in always + expected),
        "own=1",
    ]


def test_files(renderer, product_of, tmp_path):
    (tmp_path / "a.j2").write_text("{{ x }} {{ '{{' }}\n")
    text = """
    files:
      - {path: /t, template: a.j2, context: {x: "{{ '{{ y }}' }}"}, owner: root, mode: "0600", secret: false}
      - {path: /e, variables: {A: true, B: null}, text: "C=1"}
      - {path: /c, content: as it is}
    """
    made = {file["path"]: file for file in map(renderer.plain_file, product_of(text).files())}
    assert made["/t"] == {
        "path": "/t",
        "content": "{{ y }} {{\n",
        "secret": False,
        "owner": "root",
        "group": "mash",
        "mode": "0600",
    }
    assert made["/e"]["content"] == "A=true\nC=1\n"
    assert made["/c"] == {
        "path": "/c",
        "content": "as it is",
        "secret": True,
        "owner": "mash",
        "group": "mash",
        "mode": "0640",
    }


def test_what_is_left_of_an_earlier_container_goes_first(renderer, service):
    def cleanup(**options):
        unit = renderer.service_files(service(**options), [])[-1]["content"]
        return next(line for line in unit.splitlines() if line.startswith("ExecStartPre="))

    assert cleanup() == (
        "ExecStartPre=-/usr/bin/timeout 20 /bin/sh -c 'until /usr/bin/docker rm --force mash-a || ! /usr/bin/docker "
        "container inspect mash-a >/dev/null 2>&1; do sleep 1; done'"
    )
    assert " 45 /bin/sh " in cleanup(cleanup_timeout=45)
    assert "; do sleep 7; done" in cleanup(cleanup_retry_delay=7)
    assert cleanup(cleanup="/opt/remove mash-a") == "ExecStartPre=-/opt/remove mash-a"
