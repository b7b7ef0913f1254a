# SPDX-FileCopyrightText: 2026 The selfhosting.lago authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Wrong input through the whole playbook: refused with all that is wrong with it, and the server stays as it was.

The first ten are rows of tests/unit/bad_input, where each is shown to pass without its check; the others are about what
is on the server.
"""

import re
from concurrent.futures import ThreadPoolExecutor

import pytest
import yaml
from verify import inside, plays

# Nobody else's on the server; TCP of it is free.
PORT_OF_A_VPN = 4443
VPN = f"import signal, socket; s = socket.socket(type=socket.SOCK_DGRAM); s.bind(('', {PORT_OF_A_VPN})); signal.pause()"
TABLES = plays.REPOSITORY.glob("tests/unit/bad_input/*.yml")
ROWS = {row["name"]: row for table in TABLES for row in yaml.safe_load(table.read_text())}
OF_THE_TABLE = [
    "URL in place of the host name",
    "version above the highest known",
    "RSA key that is none",
    "switch that is neither on nor off",
    "ports that are none",
    "memory limits in another unit",
    "S3 with nothing but the switch",
    "mail over TLS from the first byte",
    "jobs in a Valkey that drops what is old",
    "Sidekiq's pages with a plain password",
]
ON_THE_SERVER = {
    "another encryption key": {
        "set": {"lago_api_environment_variable_encryption_primary_key": "another-key-0123456789abcdef0123"},
        "expect": [
            "lago_keys_to_replace is empty. In vars.yml other keys stand * works with: encryption_primary_key. *"
        ],
    },
    "an older release": {
        "set": {"lago_version": "v1.51.0"},
        "expect": ["lago_version is 'v1.51.0'. The server has v1.52.1. An older Lago cannot work *"],
    },
    "a port of HTTP/3 that a VPN has": {
        "set": {"traefik_container_web_secure_host_bind_port": str(PORT_OF_A_VPN)},
        "expect": [f"*_host_bind_port is '{PORT_OF_A_VPN}, over UDP taken by process python3'. HTTP/3 needs it. *"],
    },
    "a port that SSH has": {
        "set": {"lago_front_container_http_host_bind_port": "22"},
        "expect": ["lago_front_container_http_host_bind_port is '22, taken by *sshd*'. Only one program can listen *"],
    },
}
CASES = {name: ROWS[name] for name in OF_THE_TABLE} | ON_THE_SERVER
# What changes without a run: what databases keep, and the jobs of Lago's clock.
DATA = ["/mash/postgres/data", "/mash/postgres/run", "/mash/valkey/data"]
ROW_COUNTS = """
SELECT table_name, query_to_xml(format('SELECT count(*) FROM public.%I', table_name), true, false, '')
FROM information_schema.tables WHERE table_schema = 'public' AND table_name NOT IN ('jobs_log', 'clock_ticks')
ORDER BY 1
"""


def state(host) -> dict[str, str]:
    """All that a run may change."""
    data = " -o ".join(f"-path {path}" for path in DATA)
    found = rf"find /mash /etc/systemd/system \( {data} \) -prune -o"
    return {
        "files": host.check_output(found + r" -type f -exec sha256sum {} + | sort"),
        "rights": host.check_output(found + r" -printf '%p %M %u:%g %C@\n' | sort"),
        "containers": host.check_output("docker ps --all --no-trunc --format '{{.ID}} {{.Names}}' | sort"),
        "images": host.check_output("docker images --all --quiet --no-trunc | sort"),
        "networks": host.check_output("docker network ls --no-trunc --format '{{.ID}} {{.Name}}' | sort"),
        "units": "\n".join(f"{unit} {id}" for unit, id in inside.invocations(host).items()),
        "rows": inside.sql(host, ROW_COUNTS),
    }


@pytest.fixture(scope="module")
def attempts(host):
    """All runs, three at a time, and the server before and after them."""
    name = host.backend.get_pytest_id().rpartition("://")[2]
    host.check_output("systemd-run --quiet --unit=some-vpn python3 -c %s", VPN)
    # What they start writes down what it sees or did, below /mash.
    timers = host.check_output("ls /etc/systemd/system | grep ^mash-.*timer$").split()
    host.check_output(f"systemctl stop {' '.join(timers)} {' '.join(timers).replace('.timer', '.service')}")
    before = state(host)
    with ThreadPoolExecutor(3) as threads:
        done = dict(
            zip(CASES, threads.map(lambda case: plays.attempt(name, **case["set"]), CASES.values()), strict=True)
        )
    yield done, before, state(host)
    host.check_output("systemctl stop some-vpn")
    host.check_output(f"systemctl start {' '.join(timers)}")


def told(text: str, expected: str) -> bool:
    """Whether a message is there, however it is broken into lines; * stands for anything."""
    words = re.escape(re.sub(r"\s+", " ", expected)).replace(r"\*", ".*?")
    return re.search(words, re.sub(r"\s+", " ", text)) is not None


@pytest.mark.parametrize("name", CASES)
def test_it_is_refused(attempts, name):
    done = attempts[0][name]
    text = done.stdout + done.stderr
    assert done.returncode != 0
    assert "Nothing was changed on any host" in text
    assert [expected for expected in CASES[name]["expect"] if not told(text, expected)] == []
    assert re.search(r"ok=\d+ +changed=0 .*failed=1", text), text[-500:]


def test_the_server_is_as_it_was(attempts):
    _done, before, after = attempts
    assert before["rows"].count("<count>") >= 15
    assert len(before["files"].splitlines()) > 20
    changed = {what: set(before[what].splitlines()) ^ set(after[what].splitlines()) for what in before}
    assert {what: lines for what, lines in changed.items() if lines} == {}
