# SPDX-FileCopyrightText: 2026 The selfhosting.lago authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""The table bad-input.yml, through the real preflight and the checks of all roles."""

import base64
import functools
import re
from pathlib import Path

import pytest
import yaml
from ansible.errors import AnsibleActionFail
from ansible_collections.selfhosting.lago.plugins.action import preflight
from ansible_collections.selfhosting.lago.plugins.plugin_utils.product import Product
from ansible_collections.selfhosting.lago.plugins.plugin_utils.specification import options_of
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)
from virtual_host import PRODUCTS, REPOSITORY, VirtualHost

ROWS = {row["name"]: row for row in yaml.safe_load((Path(__file__).parent / "bad-input.yml").read_text())}


@functools.cache
def checks_of(role):
    return yaml.safe_load((REPOSITORY / "roles" / role / "checks.yml").read_text())


ROLES = sorted(path.parent.name for path in REPOSITORY.glob("roles/*/checks.yml"))
CHECKS = [(role, number) for role in ROLES for number in range(len(checks_of(role)))]


@functools.cache
def keys():
    def pem(key, shape=PrivateFormat.PKCS8, encryption=None):
        return key.private_bytes(Encoding.PEM, shape, encryption or NoEncryption())

    def line(text):
        return base64.b64encode(text).decode()

    key = rsa.generate_private_key(65537, 2048)
    whole = line(pem(key))
    return {
        "KEY_PEM": pem(key).decode(),
        "KEY_TWO_LINES": f"{whole[:76]}\n{whole[76:]}",
        "KEY_EC": line(pem(ec.generate_private_key(ec.SECP256R1()))),
        "KEY_ED25519": line(pem(ed25519.Ed25519PrivateKey.generate())),
        "KEY_1024_BITS": line(pem(rsa.generate_private_key(65537, 1024))),
        "KEY_WITH_PASSPHRASE": line(pem(key, encryption=BestAvailableEncryption(b"secret"))),
        "KEY_PUBLIC": line(key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)),
        "KEY_TRADITIONAL": line(pem(key, PrivateFormat.TraditionalOpenSSL)),
    }


@functools.cache
def host_of(name):
    row = ROWS[name]
    change = {
        variable: keys()[value] if isinstance(value, str) and value.startswith("KEY_") else value
        for variable, value in row.get("set", {}).items()
    }
    return VirtualHost(change=change, unset=row.get("unset", ()), server=row.get("server"))


def refused(host):
    """The problems and the message of the preflight; nothing where it finds none."""
    action = host.action(preflight, {"products": list(PRODUCTS), "server": host.server})
    try:
        assert action.run(None, host.variables)["problems"] == []
    except AnsibleActionFail as failure:
        return failure.result["problems"], str(failure)
    return [], ""


@functools.cache
def told(name):
    return refused(host_of(name))


def texts(value):
    if isinstance(value, dict):
        value = list(value.values())
    return (
        [text for item in value for text in texts(item)]
        if isinstance(value, list)
        else [value] * isinstance(value, str)
    )


def fits(row, problems):
    """Each problem is the one that is expected at its place among those of the row, in any order."""
    expected = row.get("expect", [])
    patterns = [re.compile(re.escape(text).replace(r"\*", ".*"), re.DOTALL) for text in expected]
    hits = [[pattern for pattern in patterns if pattern.fullmatch(problem)] for problem in problems]
    return len(problems) == len(expected) and all(len(hit) == 1 for hit in hits)


@pytest.mark.parametrize("name", ROWS)
def test_row(name):
    problems, message = told(name)
    assert fits(ROWS[name], problems), problems
    assert bool(message) == bool(problems)
    for number, problem in enumerate(problems, 1):
        assert f"  {number}. {problem}" in message
    if problems:
        assert message.startswith(f"lago.example.com: nothing was changed; {len(problems)} to correct first:")


@pytest.mark.parametrize("name", ROWS)
def test_no_message_shows_a_secret(name):
    host = host_of(name)
    _problems, message = told(name)
    secrets = {check["variable"] for role, number in CHECKS if (check := checks_of(role)[number]).get("secret")}
    assert len(secrets) >= 8
    secrets |= {
        variable
        for role in ("base", *PRODUCTS)
        for variable, option in options_of(role).items()
        if option.get("no_log")
    }
    assert len(secrets) >= 50
    values = [value for variable in secrets for value in texts(host.variables.get(variable))]
    assert not [value for value in values if len(value) > 3 and value in message]


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: f"{check[0]}-{check[1]}")
def test_the_table_misses_each_check(check, monkeypatch):
    entry = checks_of(check[0])[check[1]]
    rows = [
        name
        for name in ROWS
        if any(
            problem.startswith(f"{entry['variable']} ") and problem.endswith(entry["say"]) for problem in told(name)[0]
        )
    ]
    assert rows, "no row of bad-input.yml is refused by this check"
    original = Product.checks
    monkeypatch.setattr(
        Product,
        "checks",
        lambda self: [entry for number, entry in enumerate(original(self)) if (self.name, number) != check],
    )
    passing = [name for name in rows[:2] if fits(ROWS[name], refused(host_of(name))[0])]
    assert passing != rows[:2], f"{passing} pass without the check"


def test_size_of_the_table():
    assert sum(1 for row in ROWS.values() if row.get("expect")) >= 25
    assert {key for row in ROWS.values() for key in row} <= {"name", "set", "unset", "server", "expect"}
