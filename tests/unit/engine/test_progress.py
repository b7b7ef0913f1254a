# SPDX-FileCopyrightText: 2026 The selfhosting.lago authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""What somebody at a terminal sees of images that are pulled and of a migration; nobody else sees it."""

import pytest
from ansible_collections.selfhosting.lago.plugins.action import product
from ansible_collections.selfhosting.lago.plugins.plugin_utils.plan import Step
from ansible_collections.selfhosting.lago.plugins.plugin_utils.progress import far, remaining
from virtual_host import VirtualHost

SAID = [
    "== 20250122112050 First: migrating ====",
    "== 20250122112050 First: migrated (1.2s) ==",
    "== 2 Second: migrating =",
]


def test_words():
    assert remaining(30, 1, 3) == "0:30 so far, about 1:00 to go"
    assert remaining(30, 0, 3) == "0:30 so far"
    assert remaining(3700, 3, 3) == "1:01:40 so far"
    progress = {"pattern": r"== \d+ \S+: migrated", "parts": "migrations"}
    assert far(progress, SAID, 20) == f"1 migrations done, 0:20 so far; {SAID[-1]}"
    assert far({}, [], 20) == "0:20 so far"


@pytest.mark.parametrize("terminal", [True, False])
def test_who_watches_sees_it(monkeypatch, terminal):
    host, shown = VirtualHost(), []
    action = host.action(product, {"name": "lago", "server": host.server})
    action._task_vars, action._lease = host.variables, {}
    answers = iter([
        {"begun": {"image_id": "a"}, "said": SAID, "units": {}},
        {"begun": {}, "said": [], "units": {"m.service": {}}},
        {"pending": {"a:1": "Downloading"}, "done": []},
        {"pending": {}, "done": ["a:1"]},
    ])  # fmt: skip
    calls = []

    def execute(module_name, module_args, task_vars):
        calls.append(module_args)
        return next(answers)

    monkeypatch.setattr(action, "_execute_module", execute)
    monkeypatch.setattr(product.display, "display", shown.append)
    monkeypatch.setattr(product.sys.stdout, "isatty", lambda: terminal, raising=False)
    progress = {"pattern": r"== \d+ \S+: migrated", "parts": "migrations"}
    assert action.step(Step("m.service", "a:1", {}, "", progress=progress)) == {"m.service": {}}
    assert [call["begun"] for call in calls] == [{}, {"image_id": "a"}]
    assert action.images([{"reference": "a:1"}]) == ["a:1"]
    progressed = [line for line in shown if " so far" in line]
    assert len(progressed) == (2 if terminal else 0)
    if terminal:
        assert "m.service: 1 migrations done, 0:00 so far; == 2 Second: migrating" in progressed[0]
        assert "getting a:1 (0 of 1 done, 0:00 so far) Downloading" in progressed[1]
