# SPDX-FileCopyrightText: 2026 The selfhosting.lago authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""What users choose otherwise than the defaults: settings of Lago, ports, HTTP/3, a proxy in front, sign-up.

One run makes all choices, a second one takes them back with `just install-service lago`.
"""

import json
import re
import socket
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import yaml
from verify import inside, plays, ports, settings_of_lago
from verify.waiting import eventually

SCENARIO = Path(__file__).resolve().parents[1]
FACTS = yaml.safe_load((plays.REPOSITORY / "roles/lago/vars/main/main.yml").read_text())
PAGE = FACTS["lago_front_requests"]["frame"] + max(FACTS["lago_front_requests"]["pages"].values())
BURST = yaml.safe_load((SCENARIO / "host_vars/hardening.yml").read_text())["lago_api_graphql_rate_limit_burst"]
REGISTER = """mutation ($input: RegisterUserInput!) { registerUser(input: $input) { token } }"""
LOGIN = """mutation ($input: LoginUserInput!) { loginUser(input: $input) { token } }"""
VERSIONS = yaml.safe_load((plays.REPOSITORY / "versions.yml").read_text())["mash_playbook_versions"]
FRONT = f"getlago/front:{VERSIONS['lago']}"
ACCOUNT = {"email": "first@example.test", "password": "password of the first"}


def own_address(server) -> str:
    """That of these tests, as the server sees it."""
    with socket.socket(type=socket.SOCK_DGRAM) as connection:
        connection.connect((server.address, 443))
        return connection.getsockname()[0]


@pytest.fixture(scope="module")
def choices(host, server) -> dict:
    (digest,) = json.loads(host.check_output("docker image inspect --format '{{json .RepoDigests}}' %s", FRONT))
    return {
        "mash_playbook_image_digests_custom": {FRONT: digest.partition("@")[2]},
        "lago_front_environment_variable_lago_disable_signup": False,
        "traefik_config_entrypoint_web_secure_http3_enabled": False,
        "traefik_config_entrypoint_web_secure_forwardedHeaders_trustedIPs": [f"{own_address(server)}/32"],
        "lago_api_container_http_host_bind_port": "127.0.0.1:3001",
        "lago_front_container_http_host_bind_port": "8081",
        "valkey_container_tcp_host_bind_port": "127.0.0.1:6380",
        "postgres_container_postgres_bind_port": "5433",
        **settings_of_lago.variables(host, "one"),
    }


@pytest.fixture(scope="module")
def chosen(server, choices):
    return plays.play(server.name, **choices)


@pytest.fixture(scope="module")
def taken_back(server, chosen):
    return plays.play(server.name, "--tags=install-lago,start-group", group="lago")


def test_every_setting_is_tried():
    """In this round, and in the other one that comes with the change of passwords."""
    product = yaml.safe_load((plays.REPOSITORY / "roles/lago/product-environment.yml").read_text())
    tried = [name for names in settings_of_lago.ROUNDS.values() for name in names]
    assert sorted(tried) == sorted(product["settings"]["names"])


@pytest.mark.usefixtures("chosen")
@pytest.mark.parametrize("container", settings_of_lago.PROCESSES)
def test_processes_have_the_settings_as_lago_reads_them(host, container):
    found = settings_of_lago.environment(host, container)
    wanted = settings_of_lago.written("one")
    assert {name: found.get(name) for name in wanted} == wanted
    assert not settings_of_lago.written("two").keys() & found.keys()


@pytest.mark.usefixtures("chosen")
def test_the_migration_has_them_too(host):
    text = host.file("/mash/lago/migrate/env").content_string
    lines = dict(line.split("=", 1) for line in text.splitlines())
    wanted = settings_of_lago.written("one")
    assert {name: lines.get(name) for name in wanted} == wanted


@pytest.mark.usefixtures("chosen")
def test_without_pdf_files_there_is_no_container_for_them(host, site):
    assert "mash-lago-pdf" not in inside.containers(host)
    assert "mash-lago-pdf.service" not in inside.installed_units(host)
    assert 'LAGO_DISABLE_PDF_GENERATION = "true"' in site.get("/env-config.js").body.decode()
    assert inside.all_active(host)


def test_an_image_with_a_digest(host, chosen):
    name, at, digest = inside.containers(host)["mash-lago-front"]["Config"]["Image"].partition("@")
    assert (name, at) == (f"docker.io/{FRONT}", "@")
    assert re.fullmatch(r"sha256:[0-9a-f]{64}", digest)
    assert chosen.units["mash-lago-front.service"] == "restart"


@pytest.mark.long
@pytest.mark.usefixtures("chosen")
def test_no_other_image_than_the_digest_says(host, server, choices):
    """The registry of the tests has the tag, with other content."""
    before = inside.invocations(host)
    done = plays.attempt(
        server.name, **(choices | {"mash_playbook_image_digests_custom": {FRONT: "sha256:" + "0" * 64}})
    )
    assert done.returncode != 0
    assert f"{FRONT}@sha256:0000" in done.stdout + done.stderr
    assert inside.invocations(host) == before


@pytest.mark.usefixtures("chosen")
def test_ports_are_published_where_they_are_named_and_nowhere_else(host, server):
    assert ports.open_ports(server.address) == [22, 80, 443, 5433, 8081]
    for port in (3001, 6380):
        assert host.run(f"bash -c '</dev/tcp/127.0.0.1/{port}'").rc == 0, port


@pytest.mark.usefixtures("chosen")
def test_http3_is_switched_off(host, server, site):
    assert "alt-svc" not in site.get("/").headers
    assert ports.listening(host, "udp") == set()
    assert ports.quic_versions(server.address, 443, attempts=1) == set()


def many(site, number: int, forwarded) -> list[int]:
    """So many requests at once, each for the client that X-Forwarded-For says."""

    def ask(address):
        return site.post("/graphql", {"query": "{ __typename }"}, X_Forwarded_For=address).status

    with ThreadPoolExecutor(8) as threads:
        return list(threads.map(ask, [forwarded(index) for index in range(number)]))


@pytest.mark.usefixtures("chosen")
def test_behind_a_trusted_proxy_each_client_has_a_limit_of_its_own(site):
    eventually(lambda: many(site, 1, lambda _index: "198.51.100.9") == [200])
    # What the proxy itself appends is the last address; what its client wrote before it counts for nothing.
    assert 429 in many(site, 4 * BURST, lambda index: f"203.0.113.{index % 250}, 198.51.100.7")
    assert many(site, PAGE, lambda _index: "198.51.100.8") == [200] * PAGE
    assert 429 in many(site, 4 * BURST, lambda _index: "203.0.113.1, 198.51.100.7")


# Asks as often as it is told, for another client each time; without a check of the certificate, which is not the point.
FORGER = """
import concurrent.futures, http.client, ssl, sys
context = ssl._create_unverified_context()
def ask(number):
    connection = http.client.HTTPSConnection(sys.argv[1], context=context, timeout=20)
    headers = {"Host": sys.argv[2], "Content-Type": "application/json", "X-Forwarded-For": f"203.0.113.{number % 250}"}
    connection.request("POST", "/graphql", "{}", headers)
    return connection.getresponse().status
with concurrent.futures.ThreadPoolExecutor(8) as threads:
    print(*threads.map(ask, range(int(sys.argv[3]))))
"""


@pytest.mark.usefixtures("chosen")
def test_who_is_not_trusted_is_one_client_whatever_it_says(host, server, site):
    """From the server itself, which is another address than these tests have."""
    answers = host.check_output("python3 -c %s %s %s %s", FORGER, server.address, site.hostname, str(4 * BURST)).split()
    assert "429" in answers
    assert len(answers) == 4 * BURST


@pytest.mark.usefixtures("chosen")
@pytest.mark.parametrize("path", ["/graphql", "/api/graphql"])
def test_sign_up_that_was_opened(host, site, path):
    given = ACCOUNT | {"email": f"{path.count('/')}-{ACCOUNT['email']}", "organizationName": "First"}
    answer = eventually(lambda: site.graphql(REGISTER, path, input=given), seconds=30)
    assert answer["data"]["registerUser"]["token"]
    assert 'LAGO_DISABLE_SIGNUP = "true"' not in site.get("/env-config.js").body.decode()


@pytest.mark.usefixtures("taken_back")
@pytest.mark.parametrize("path", ["/graphql", "/api/graphql"])
def test_sign_up_that_was_closed_again(host, site, path):
    eventually(lambda: site.post("/graphql", {"query": "{ __typename }"}).status == 200)
    refused = site.graphql(REGISTER, path, input=ACCOUNT | {"email": "second@example.test", "organizationName": "Two"})
    assert refused["errors"][0]["extensions"]["code"] == "signup_disabled"
    assert inside.sql(host, "SELECT count(*) FROM users WHERE email = 'second@example.test'") == "0"
    assert 'LAGO_DISABLE_SIGNUP = "true"' in site.get("/env-config.js").body.decode()
    for slashes in (1, 2):
        account = ACCOUNT | {"email": f"{slashes}-{ACCOUNT['email']}"}
        assert site.graphql(LOGIN, path, input=account)["data"]["loginUser"]["token"]


@pytest.mark.usefixtures("taken_back")
def test_what_was_chosen_is_gone(host, server, site):
    assert inside.all_active(host)
    assert "mash-lago-pdf" in inside.containers(host)
    assert not settings_of_lago.written("one").keys() & settings_of_lago.environment(host, "mash-lago-api").keys()
    assert 'h3=":443"' in site.get("/").headers["alt-svc"]
    assert 1 in ports.quic_versions(server.address, 443)
    for port in (5433, 8081):
        assert not ports.is_open(server.address, port), port
