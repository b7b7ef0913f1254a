# SPDX-FileCopyrightText: 2026 The selfhosting.lago authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""The key that signs webhooks, where vars.yml has none: the server makes it, once."""

import pytest
from verify import inside, plays

testinfra_hosts = ["ansible://lago.example.test"]
MAIN = "lago.example.test"
DIRECTORY, KEY = "/mash/lago/keys", "/mash/lago/keys/private.pem"
PROCESSES = ["mash-lago-api", "mash-lago-api-worker", "mash-lago-api-clock"]
RUBY = "require 'openssl'; require 'base64'; require './config/settings'; key = Settings.rsa_private_key; "
STEP = "mash-lago-rsa-key"


def ruby(host, container: str, program: str, *arguments: str) -> str:
    """In a container, with what the process in it reads."""
    words = " %s" * len(arguments)
    return host.check_output(
        f"docker exec {container} ruby -ractive_support/all -e %s{words}", RUBY + program, *arguments
    )


def public_key(host) -> str:
    """As OpenSSL derives it from the file."""
    return host.check_output(f"openssl rsa -in {KEY} -pubout 2>/dev/null")


def test_only_lago_reads_it(host):
    for path, mode in ((DIRECTORY, 0o700), (KEY, 0o600)):
        found = host.file(path)
        assert (found.user, found.group, found.mode) == ("mash", "mash", mode), path
    assert "(2048 bit" in host.check_output(f"openssl rsa -in {KEY} -noout -text 2>&1")
    assert "LAGO_RSA_PRIVATE_KEY" not in host.file("/mash/lago/api/env").content_string


@pytest.mark.parametrize("container", PROCESSES)
def test_every_process_has_it(host, container):
    assert ruby(host, container, "puts key.public_key.to_pem") == public_key(host)


def test_what_a_worker_signs_the_api_verifies(host):
    """With the public half, which Lago's API gives out."""
    signature = ruby(host, "mash-lago-api-worker", "print Base64.strict_encode64(key.sign('SHA256', 'webhook'))")
    verify = "print key.public_key.verify('SHA256', Base64.decode64(ARGV[0]), ARGV[1])"
    assert ruby(host, "mash-lago-api", verify, signature, "webhook") == "true"
    assert ruby(host, "mash-lago-api", verify, signature, "another") == "false"


def test_clients_are_given_its_public_half(host, site):
    assert site.client().webhooks.public_key().decode().strip() == public_key(host)


def test_it_is_made_once(host):
    """Also where the record of the step that makes it is lost."""
    key, before = public_key(host), inside.invocations(host)
    host.check_output(f"rm /mash/selfhosting-lago/records/{STEP}.json")
    assert plays.play(MAIN).units == {f"{STEP}.service": "run"}
    assert public_key(host) == key
    assert inside.invocations(host) == before


def test_one_that_is_lost_is_not_replaced(host):
    host.check_output(f"mv {KEY} /root/private.pem && rm /mash/selfhosting-lago/records/{STEP}.json")
    done = plays.attempt(MAIN)
    assert done.returncode != 0
    said = " ".join((done.stdout + done.stderr).split())
    assert "restore /keys/private.pem from a backup" in said
    assert not host.file(KEY).exists
    assert inside.all_active(host)
    host.check_output(f"mv /root/private.pem {KEY}")
    assert plays.play(MAIN).units == {f"{STEP}.service": "run"}
