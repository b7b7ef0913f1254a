# SPDX-FileCopyrightText: 2026 The selfhosting.lago authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""What is said at the end of a run: that nobody can log in to Lago, and how to change that."""

import pytest
import yaml
from ansible_collections.selfhosting.lago.plugins.action import closing, product
from ansible_collections.selfhosting.lago.plugins.module_utils import takeover
from virtual_host import REPOSITORY, VirtualHost

PREFIX = "lago_migrate_environment_variable_lago_org_"
CLOSED = {"lago_front_environment_variable_lago_disable_signup": True}
OPEN = {"lago_front_environment_variable_lago_disable_signup": False}
CONFIGURED = {
    f"{PREFIX}name": "Example",
    f"{PREFIX}user_email": "a@example.com",
    f"{PREFIX}user_password": "0123456789ab",
}


def notices(monkeypatch, change=None, has_users=None, first=False, check_mode=False, unchanged=False):
    """What the action for Lago leaves for the end."""
    host = VirtualHost(change={**CLOSED, **(change or {})}, server={"lago": {"has_users": has_users}})
    monkeypatch.setattr(product.ActionModule, "files", lambda _self, _files: {})
    monkeypatch.setattr(product.ActionModule, "carry_out", lambda _self, _plan: {"changes": {}, "diff": []})
    server = host.installed("lago") if unchanged else host.empty_server()
    if not first and not unchanged:
        server["records"] = host.installed("lago")["records"]
        server["records"]["mash-lago-migrate"]["image_id"] = "another"
    result = host.action(product, {"name": "lago", "server": server}, check_mode).run(None, host.variables)
    assert result["changed"] is not unchanged
    return result.get("ansible_facts", {}).get("selfhosting_notices", [])


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"first": True}, True),
        ({}, False),
        # Postgres of this host was asked before the run.
        ({"has_users": False}, True),
        ({"has_users": False, "unchanged": True}, True),
        ({"has_users": True}, False),
        ({"has_users": True, "first": True}, False),
        ({"has_users": True, "unchanged": True}, False),
        ({"unchanged": True}, False),
        ({"first": True, "change": OPEN}, False),
        ({"has_users": False, "change": CONFIGURED}, False),
        ({"has_users": False, "check_mode": True}, False),
    ],
)
def test_a_lago_that_nobody_can_enter(monkeypatch, given, said):
    assert bool(notices(monkeypatch, **given)) is said


def test_the_three_lines_are_enough(monkeypatch):
    (text,) = notices(monkeypatch, first=True)
    lines = yaml.safe_load("\n".join(line for line in text.splitlines() if PREFIX in line))
    assert set(lines) == set(CONFIGURED)
    assert lines[f"{PREFIX}user_email"] == "admin@lago.example.com"
    content = VirtualHost(change=CONFIGURED).rendered("lago")["/mash/lago/migrate/env"]["content"]
    assert "LAGO_CREATE_ORG=true" in content.splitlines()


def test_it_is_said_for_every_host_that_has_something(monkeypatch):
    lines = []
    monkeypatch.setattr(closing.display, "display", lambda text, **_options: lines.append(text))
    host = VirtualHost()
    hostvars = {"a": {"selfhosting_notices": ["one", "two"]}, "b": {}, "c": {"selfhosting_notices": ["three"]}}
    host.action(closing, {"hosts": ["a", "b", "c"]}).run(None, {**host.variables, "hostvars": hostvars})
    assert lines == ["a: one", "a: two", "c: three"]


@pytest.mark.parametrize(
    ("change", "asked"),
    [(CLOSED, True), (OPEN, False), (CLOSED | CONFIGURED, False), ({next(iter(CLOSED)): "maybe"}, False)],
)
def test_the_probe_asks_only_where_it_matters(change, asked):
    (task,) = yaml.safe_load((REPOSITORY / "roles/base/tasks/probe.yml").read_text())
    template = task["selfhosting.lago.server_probe"]["lago"]["ask_for_users"]
    assert VirtualHost(change=change).evaluate(template.strip("{} ")) is asked


class Containers:
    def __init__(self, state):
        self.state = state

    def containers(self):
        return {"mash-postgres": {"state": self.state}}


@pytest.mark.parametrize(
    ("state", "answer", "expected"),
    [
        ("running", "t", True),
        ("running", "f", False),
        # No such database or table yet.
        ("running", None, None),
        ("exited", "t", None),
    ],
)
def test_whether_lago_has_users(monkeypatch, state, answer, expected):
    monkeypatch.setattr(takeover, "query", lambda *_arguments: answer)
    parameters = {"postgres": {"container": "mash-postgres", "user": "root"}, "lago": {"database": "lago"}}
    assert takeover.has_users(parameters, Containers(state)) is expected


def test_a_postgres_elsewhere_is_not_asked(monkeypatch):
    monkeypatch.setattr(takeover, "query", lambda *_arguments: pytest.fail("asked"))
    parameters = {"postgres": {"container": "postgres", "user": "root"}, "lago": {"database": "lago"}}
    assert takeover.has_users(parameters, Containers("running")) is None
