# SPDX-FileCopyrightText: 2026 The selfhosting.lago authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""What users get wrong, and what they are told before anything is changed: the tables in bad_input/, by subject.

Each row goes through the real preflight and the checks of all roles, in one process, for the host lago.example.com of
tests/unit/inventory. The tables have to be complete: each entry of each roles/*/checks*.yml fails for at least one row.

  name     of the row
  set      variables that replace those of the host; a value KEY_... is a key that the test makes
  unset    variables that the host does not set
  server   what the probe saw, merged over a sound Debian server
  names    what DNS says; lago.example.com is the server otherwise, and nobody answers for others
  expect   the whole message of each problem, * stands for anything; nothing for a row that is sound
  warn     the same of each warning
"""

import base64
import functools
import re
from pathlib import Path

import pytest
import yaml
from ansible_collections.selfhosting.lago.plugins.action import preflight
from ansible_collections.selfhosting.lago.plugins.plugin_utils import checks, names
from ansible_collections.selfhosting.lago.plugins.plugin_utils.kinds import KINDS
from ansible_collections.selfhosting.lago.plugins.plugin_utils.product import Product, check_files
from ansible_collections.selfhosting.lago.plugins.plugin_utils.specification import options_of
from ansible_collections.selfhosting.lago.plugins.plugin_utils.verdict import refusal
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)
from jinja2 import Environment, nodes
from jinja2.environment import TemplateExpression
from jinja2.parser import Parser
from virtual_host import PRODUCTS, REPOSITORY, VirtualHost

TABLES = {path.stem: yaml.safe_load(path.read_text()) for path in sorted(Path(__file__).parent.glob("bad_input/*.yml"))}
ROWS = {row["name"]: row for table in TABLES.values() for row in table}


@pytest.fixture(scope="module", autouse=True)
def compiled_once():
    """Jinja compiles each expression anew for each host, most of the time of a preflight; the rows share the code."""
    original, codes = Environment.compile, {}

    def compile_expression(self, source, undefined_to_none=True):
        if source not in codes:
            tree = Parser(self, source, state="variable").parse_expression()
            tree.set_environment(self)
            assign = nodes.Assign(nodes.Name("result", "store"), tree, lineno=1)
            codes[source] = original(self, nodes.Template([assign], lineno=1))
        template = self.template_class.from_code(self, codes[source], self.make_globals(None), None)
        return TemplateExpression(template, undefined_to_none)

    def compile_text(self, source, *arguments, **options):
        if not isinstance(source, str):
            return original(self, source, *arguments, **options)
        if source not in codes:
            codes[source] = original(self, source, *arguments, **options)
        return codes[source]

    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setattr(Environment, "compile_expression", compile_expression)
        monkeypatch.setattr(Environment, "compile", compile_text)
        yield


@functools.cache
def checks_of(role):
    paths = [REPOSITORY / "roles" / role / file for file in check_files(role)]
    return [check for path in paths for check in yaml.safe_load(path.read_text())]


ROLES = sorted(path.parent.name for path in REPOSITORY.glob("roles/*/checks.yml"))
CHECKS = [(role, number) for role in ROLES for number in range(len(checks_of(role)))]
# What DNS says where a row says nothing else.
NAMES = {"lago.example.com": ["203.0.113.10"]}


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


def found(name, monkeypatch):
    """All that the preflight finds for a row."""
    dns = {**NAMES, **ROWS[name].get("names", {})}
    monkeypatch.setattr(names, "addresses_of", lambda asked: dns.get(asked))
    host = host_of(name)
    action = host.action(preflight, {"products": list(PRODUCTS), "server": host.server})
    unknown, _remarks = action.names(host.variables)
    return [*unknown, *action.problems(action.products(list(PRODUCTS), host.variables), host.variables)]


@functools.cache
def told(name):
    with pytest.MonkeyPatch.context() as monkeypatch:
        return found(name, monkeypatch)


def texts(value):
    if isinstance(value, dict):
        value = list(value.values())
    return (
        [text for item in value for text in texts(item)]
        if isinstance(value, list)
        else [value] * isinstance(value, str)
    )


def pattern(text):
    return re.compile(re.escape(text).replace(r"\*", ".*"), re.DOTALL)


def matches(expected, seen):
    """Each is one that is expected, and each that is expected is there, in any order."""
    hits = [[text for text in expected if pattern(text).fullmatch(problem)] for problem in seen]
    return len(seen) == len(expected) and all(len(hit) == 1 for hit in hits)


def fits(row, problems):
    """Problems and warnings are those of the row."""
    return matches(row.get("expect", []), [problem for problem in problems if not problem.warning]) and matches(
        row.get("warn", []), [problem for problem in problems if problem.warning]
    )


@pytest.mark.parametrize("name", ROWS)
def test_row(name):
    problems = told(name)
    assert fits(ROWS[name], problems), [str(problem) for problem in problems]


@pytest.mark.parametrize("name", ROWS)
def test_no_message_shows_a_secret(name):
    host = host_of(name)
    message = refusal({"host": told(name)})
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
    # Words such as "secret" stand in messages anyway.
    assert not [value for value in values if len(value) > 8 and value in message]


def sources():
    """Everything that can find something, by name: each check of a role, each kind, the types, secrets, names."""
    entries = [f"{role}: {checks_of(role)[number]['that']}" for role, number in CHECKS]
    return [*dict.fromkeys(entries), *(f"kind: {kind}" for kind in KINDS), "type", "secret"]


def without(source, monkeypatch):
    """Remove one of them."""
    if source == "type":
        monkeypatch.setattr(checks, "fault", lambda _value, _option: None)
    elif source == "secret":
        monkeypatch.setattr(checks, "weakness", lambda _text, _shortest: "")
    elif source.startswith("kind: "):
        monkeypatch.delitem(KINDS, source.removeprefix("kind: "))
    else:
        original = Product.checks
        monkeypatch.setattr(
            Product,
            "checks",
            lambda self: [check for check in original(self) if f"{self.name}: {check['that']}" != source],
        )


@pytest.mark.parametrize("source", sources())
def test_rows_fail_when_their_check_is_removed(source, monkeypatch):
    rows = [name for name in ROWS if any(problem.source == source for problem in told(name))]
    assert rows, "nothing in bad_input/ is refused by this check"
    without(source, monkeypatch)
    passing = [name for name in rows if fits(ROWS[name], found(name, monkeypatch))]
    assert passing == [], "these pass without the check"


def test_each_problem_has_a_check_that_can_be_removed():
    known = set(sources()) | {"name"}
    assert {problem.source for name in ROWS for problem in told(name)} <= known


def test_size_of_the_table(record_property):
    assert len(ROWS) == sum(map(len, TABLES.values())), "two rows have the same name"
    bad = [row for row in ROWS.values() if row.get("expect") or row.get("warn")]
    messages = {text for row in bad for text in [*row.get("expect", []), *row.get("warn", [])]}
    # What is told, without the value that was seen.
    told_to_do = {re.sub(r"^.*?(\. |; )", "", str(problem)) for name in ROWS for problem in told(name)}
    assert len(bad) >= 80
    assert len(messages) >= 80
    assert len(told_to_do) >= 50
    record_property("bad inputs", len(bad))
    record_property("different messages", len(told_to_do))
    print(f"{len(bad)} bad inputs, {len(told_to_do)} different messages")
    keys = {key for row in ROWS.values() for key in row}
    assert keys <= {"name", "set", "unset", "server", "names", "expect", "warn"}
