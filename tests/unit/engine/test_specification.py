# SPDX-FileCopyrightText: 2026 The selfhosting.lago authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Types of what users set: which values fit, what they are told, and that text becomes a boolean."""

import pytest
from ansible_collections.selfhosting.lago.plugins.plugin_utils.checks import Problem, misfits_of, together
from ansible_collections.selfhosting.lago.plugins.plugin_utils.specification import allowed, as_specified, fault
from virtual_host import PRODUCTS, VirtualHost

TEXT, NUMBER, SWITCH = {"type": "str"}, {"type": "int"}, {"type": "bool"}
CHOICE = {"type": "str", "choices": ["ssd", "hdd"]}
TEXTS = {"type": "list", "elements": "str"}
DICTIONARY = {"type": "dict"}
DATABASES = {
    "type": "list",
    "elements": "dict",
    "options": {"name": {"type": "str", "required": True}, "port": {"type": "int"}, "password": {"type": "str"}},
}


@pytest.mark.parametrize(
    ("option", "value"),
    [
        *[(TEXT, value) for value in ("", "a", 80, 1.5, None)],
        *[(NUMBER, value) for value in (0, -1, "80")],
        *[(SWITCH, value) for value in (True, False, "yes", "No", "True", "on", "1", 0)],
        *[(CHOICE, value) for value in ("ssd", "hdd")],
        *[(TEXTS, value) for value in ([], ["a"], ["a", 1])],
        *[(DICTIONARY, value) for value in ({}, {"a": [1]})],
        *[(DATABASES, value) for value in ([], [{"name": "a"}], [{"name": "a", "port": "1"}])],
        *[({"type": "raw"}, value) for value in (None, True, "a", [1])],
        ({"type": "path"}, "/mash"),
    ],
)
def test_what_fits(option, value):
    assert fault(value, option) is None


@pytest.mark.parametrize(
    ("option", "value", "where"),
    [
        *[(TEXT, value, "") for value in (True, ["a"], {"a": 1})],
        *[(NUMBER, value, "") for value in ("", "many", 1.5, True, None, [1])],
        *[(SWITCH, value, "") for value in ("", "maybe", 2, None, [True])],
        *[(CHOICE, value, "") for value in ("", "SSD", "nvme", None)],
        # Ansible would make lists of these; an expression of a product would not.
        *[(TEXTS, value, "") for value in ("a", "a,b", 1, None, {"a": 1})],
        (TEXTS, ["a", ["b"]], "entry 2 does not fit"),
        (TEXTS, [None], "entry 1 does not fit"),
        *[(DICTIONARY, value, "") for value in ("a=1", '{"a": 1}', [], None)],
        (DATABASES, [{"name": "a"}, {"port": 1}], "entry 2: name is missing"),
        (DATABASES, [{"name": None}], "entry 1: name is missing"),
        (DATABASES, [{"name": "a", "user": "b"}], "entry 1: user is unknown"),
        (DATABASES, [{"name": "a", "port": "b"}], "entry 1: port does not fit (allowed: a whole number)"),
        (DATABASES, ["a"], "entry 1 does not fit"),
    ],
)
def test_what_does_not_fit(option, value, where):
    assert fault(value, option) == where


@pytest.mark.parametrize(
    ("option", "words"),
    [
        (TEXT, "text or a number"),
        (NUMBER, "a whole number"),
        (SWITCH, "true or false"),
        (CHOICE, "ssd, hdd"),
        (TEXTS, "a list of texts"),
        (DICTIONARY, "a dictionary"),
        (DATABASES, "a list of dictionaries with name, port, password"),
    ],
)
def test_allowed(option, words):
    assert allowed(option) == words


def test_only_booleans_are_converted():
    assert as_specified("lago_enabled", "No") is False
    assert as_specified("lago_enabled", "1") is True
    assert as_specified("lago_enabled", "maybe") == "maybe"
    assert as_specified("lago_database_name", "no") == "no"
    assert as_specified("of_the_user", "yes") == "yes"


@pytest.mark.parametrize("no", [False, "no", "False", "{{ 'off' }}"])
def test_text_that_means_no_is_no(no):
    host = VirtualHost(change={"postgres_enabled": no, "lago_front_environment_variable_lago_disable_signup": no})
    lago = host.product("lago")
    assert lago.evaluate("lago_database_hostname") == ""
    assert lago.evaluate("'open' if not lago_api_environment_variable_lago_disable_signup else 'closed'") == "open"


def misfits(change, name="lago"):
    host = VirtualHost(change=change)
    return misfits_of(host.product(name), host.variables)


def test_a_sound_host_has_none():
    for name in ("lago.example.com", "external.example.com", "bare.example.com"):
        host = VirtualHost(name)
        for product in ("base", *PRODUCTS):
            assert misfits_of(host.product(product), host.variables) == []


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("lago_scheme", "ftp", "is 'ftp'. Allowed: http, https. Correct the line or remove it; without it: https."),
        ("lago_database_port", None, "has no value. Allowed: a whole number. Correct the line or remove it."),
        ("lago_redis_database", "{{ 'x' }}", "is 'x'. Allowed: a whole number. *; without it: 0."),
        ("lago_redis_password", ["hidden"], "is set (entries: 1, not shown). Allowed: text or a number. *"),
        ("lago_api_environment_variable_lago_license", True, "is set (4 characters, not shown). *"),
        (
            "lago_api_container_extra_arguments_custom",
            "--env=A",
            "is set (7 characters, not shown). *a list of texts. *",
        ),
        ("lago_hostname", "{{ my_domain }}", "cannot be evaluated: *'my_domain' is undefined*"),
    ],
)
def test_messages(name, value, message):
    (problem,) = misfits({name: value})
    assert problem.variable == name
    first, *others = message.split("*")
    assert problem.startswith(f"{name} {first}")
    assert all(other in problem for other in others)


def test_of_what_is_switched_off_only_the_switch_is_looked_at():
    assert misfits({"lago_enabled": False, "lago_redis_port": "x"}) == []
    (problem,) = misfits({"lago_enabled": "maybe", "lago_redis_port": "x"})
    assert problem == (
        "lago_enabled is 'maybe'. Allowed: true or false. Correct the line or remove it; without it: false."
    )


def test_nothing_is_said_twice():
    seen, unseen = Problem("a", "is wrong."), Problem("b", "cannot be evaluated.", error="it")
    other = Problem("c", "is wrong.")
    assert together([], [unseen, other]) == ["b cannot be evaluated.", "c is wrong."]
    # What cannot be evaluated may fail because of a wrong type; the next run tells.
    assert together([seen], [unseen, other]) == ["a is wrong.", "c is wrong."]
    # A check says what to do about this very variable.
    assert together([seen], [Problem("a", "is wrong. Set it to 1.")]) == ["a is wrong. Set it to 1."]
    assert together([Problem("b", "is unknown.", error="it")], [unseen]) == ["b cannot be evaluated."]
