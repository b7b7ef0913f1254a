# SPDX-FileCopyrightText: 2026 The selfhosting.lago authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""The table effects.yml: what each of MASH's names does."""

import functools
import itertools
import json
import re
from pathlib import Path

import pytest
import yaml
from ansible_collections.selfhosting.lago.plugins.action import preflight, removal
from ansible_collections.selfhosting.lago.plugins.plugin_utils.known_variables import WITHOUT_EFFECT
from ansible_collections.selfhosting.lago.plugins.plugin_utils.specification import options_of
from unit.golden_files import listed
from unit.test_variables import REFERENCE, ROLES, mash_names, not_carried
from virtual_host import PRODUCTS, REPOSITORY, VirtualHost

# Names of MASH that nothing reads, here as there.
MOST_WITHOUT_EFFECT = 10


def replaced(value, words):
    """The value with each word replaced in all texts in it."""
    if isinstance(value, dict):
        return {replaced(key, words): replaced(item, words) for key, item in value.items()}
    if isinstance(value, list):
        return [replaced(item, words) for item in value]
    for word, other in words.items():
        value = value.replace(word, other) if isinstance(value, str) else value
    return value


def expanded(row):
    """A row for each combination of the words of `for`; A/B: [a/b] puts a for A and b for B at the same time."""
    choices = [[(words, texts) for texts in listed] for words, listed in row.get("for", {}).items()]
    for chosen in itertools.product(*choices):
        words = {}
        for names, texts in chosen:
            words.update(zip(names.split("/"), texts.split("/"), strict=True))
        one = replaced({key: value for key, value in row.items() if key not in ("for", "name")}, words)
        # The part api_worker of a variable is the part api-worker of a unit.
        one = {
            key: re.sub("api_(worker|clock)", r"api-\1", text) if key == "unit" else text for key, text in one.items()
        }
        yield {"name": replaced(row["name"], {word: text.lower() for word, text in words.items()}), **one}


def marked(value, number):
    """With a text and a number of this row alone in place of x and 4711."""
    if isinstance(value, dict):
        return {key: marked(item, number) for key, item in value.items()}
    if isinstance(value, list):
        return [marked(item, number) for item in value]
    if isinstance(value, str):
        return re.sub(r"\b4711(?=\b|m|MB)", str(10000 + number), re.sub(r"\bx\b", f"x{number}x", value))
    return 10000 + number if value == 4711 and not isinstance(value, bool) else value


def table():
    rows = [one for row in yaml.safe_load((Path(__file__).parent / "effects.yml").read_text()) for one in expanded(row)]
    for number, row in enumerate(rows, 1):
        unmarked = {key: row.get(key) for key in ("set", "has")}
        row.update({key: marked(value, number) for key, value in row.items() if key not in ("name", "with", "server")})
        row["unique"] = all(marked(value, number) != value for value in unmarked.values())
    return rows


ROWS = table()
NAMES = [row["name"] for row in ROWS]


def product_of(row):
    """The product whose files show the effect."""
    if "list" in row:
        return row["list"]
    where = row.get("unit") or row.get("gone") or row.get("file") or ""
    found = [product for product in PRODUCTS if row["name"].startswith(f"{product}_")]
    found += [product for product in PRODUCTS if product in where]
    return found[0]


def path_of(row):
    place = row.get("unit") or row.get("gone") or row.get("file")
    return place if place.startswith("/") else f"/etc/systemd/system/{place}.service"


@functools.cache
def seen(product, settings, server="{}"):
    """Path to content of what a product consists of with some settings, its list among them."""
    host = VirtualHost(change=json.loads(settings), server=json.loads(server))
    if not host.product(product).enabled:
        return {}
    plan = host.plan(product, host.empty_server())
    return {"list": listed(plan), **{file["path"]: file["content"] for file in plan.stage_files + plan.swap_files}}


def settings_of(row, changed=True):
    return json.dumps({**row.get("with", {}), **({row["name"]: row["set"]} if changed else {})})


@functools.cache
def seen_together(product, further):
    """Names of the rows whose text appears when all rows of a product are set at once.

    Where one variable stands in for another, the other one's text is missing; so what was found is left out, and the
    rest is looked at again. Each text is of one row alone: nothing else makes it appear.
    """
    rows = [
        row
        for row in ROWS
        if row["unique"]
        and {"unit", "file", "list"} & row.keys()
        and "server" not in row
        and product_of(row) == product
        and json.dumps(row.get("with", {})) == further
    ]
    found = set()
    while rows:
        change = {**json.loads(further), **{row["name"]: row["set"] for row in rows}}
        files = seen.__wrapped__(product, json.dumps(change))
        hits = {row["name"] for row in rows if row["has"] in text_of(row, files)}
        if not hits:
            break
        found |= hits
        rows = [row for row in rows if row["name"] not in hits]
    return found


def appears_among_all(row):
    return row["unique"] and row["name"] in seen_together(product_of(row), json.dumps(row.get("with", {})))


def text_of(row, files):
    return files.get("list" if "list" in row else path_of(row), "")


def refusal(settings):
    host = VirtualHost(change={**json.loads(settings), "mash_playbook_dns_check_enabled": False})
    action = host.action(preflight, {"products": list(PRODUCTS), "server": host.server})
    return "\n".join(action.run(None, host.variables)["problems"])


def operation_of_a_start(host):
    """What the task that starts services asks for."""
    tasks = yaml.safe_load((REPOSITORY / "roles" / "services" / "tasks" / "main.yml").read_text())
    (text,) = {task["selfhosting.lago.services"]["operation"] for task in tasks if "restart" in task.get("tags", [])}
    return host.evaluate(text.strip().removeprefix("{{").removesuffix("}}"))


def networks_that_stay(host):
    """When Lago and Valkey are removed."""
    server = VirtualHost().installed(*PRODUCTS)
    action = host.action(removal, {})
    gone = action.wanted([host.product("lago"), host.product("valkey")], server)["networks"]
    return str([name for name in server["networks"] if name not in gone])


def restarts(host):
    return str([*host.plan("valkey", VirtualHost().installed("valkey")).restarts])


def told_to_the_upkeep(host):
    """What the tasks give to the program that upgrades, imports and vacuums."""
    tasks = yaml.safe_load((REPOSITORY / "roles" / "postgres" / "tasks" / "upkeep.yml").read_text())
    programs = [task["selfhosting.lago.program"] for task in tasks if "selfhosting.lago.program" in task]
    expressions = [(key, text[2:-2]) for program in programs for key, text in program["request"].items()]
    return str([{key: str(host.evaluate(expression))} for key, expression in expressions])


OUTCOMES = {
    "what the upkeep is told": told_to_the_upkeep,
    "operation of a start": operation_of_a_start,
    "networks that stay": networks_that_stay,
    "restarts": restarts,
}


def shown(row, changed):
    """The text in which the effect is to be seen."""
    host = VirtualHost(change=json.loads(settings_of(row, changed)), server=row.get("server"))
    if "outcome" in row:
        return OUTCOMES[row["outcome"]](host)
    if "value" in row:
        return str(host.evaluate(row["value"]))
    return text_of(row, seen(product_of(row), settings_of(row, changed), json.dumps(row.get("server", {}))))


@pytest.mark.parametrize("row", ROWS, ids=NAMES)
def test_a_name_has_its_effect(row):
    if "refused" in row:
        assert row["refused"] in refusal(settings_of(row))
        assert row["refused"] not in refusal(settings_of(row, changed=False))
    elif "gone" in row:
        assert path_of(row) in seen(product_of(row), settings_of(row, changed=False))
        assert path_of(row) not in seen(product_of(row), settings_of(row))
    elif not appears_among_all(row):
        assert row["has"] in shown(row, changed=True)
        assert row["has"] not in shown(row, changed=False)


def dead():
    specified = {name: option for role in ROLES for name, option in options_of(role).items()}
    return {name for name, option in specified.items() if option["description"].startswith(WITHOUT_EFFECT)}


def test_a_name_stands_once():
    assert sorted(NAMES) == sorted(set(NAMES))
    assert len(NAMES) > 300


def test_what_has_an_effect_is_not_called_dead():
    assert set(NAMES) & dead() == set()


@pytest.mark.skipif(not REFERENCE.exists(), reason="MASH's names are not at hand")
def test_every_name_of_mash_is_in_the_table(record_property):
    without = mash_names() - set(NAMES) - set(not_carried())
    assert without <= dead(), "neither in effects.yml nor without effect"
    assert len(without) <= MOST_WITHOUT_EFFECT
    record_property("names without effect", sorted(without))
    print(f"{len(mash_names() & set(NAMES))} names of MASH have their effect; none: {', '.join(sorted(without))}")


def test_the_table_tells_what_has_no_effect():
    """A row that says something wrong is not taken for right."""
    row = next(row for row in ROWS if row["name"] == "lago_hostname")
    assert row["has"] in shown(row, changed=True)
    other = {**row, "name": "lago_front_environment_variable_codegen_api"}
    assert row["has"] not in shown(other, changed=True)
