# SPDX-FileCopyrightText: 2026 The selfhosting.lago authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""What the recipes of the justfile ask of ansible-playbook. The meaning is that of MASH's recipes."""

import json

import pytest


def test_preflight_is_a_playbook_of_its_own(just):
    done, asked = just("preflight", "-l", "lago.example.com")
    assert done.returncode == 0, done.stderr
    assert asked == ["--inventory", "inventory/hosts", "playbooks/preflight.yml", "-l", "lago.example.com"]


@pytest.mark.parametrize(
    ("recipe", "expected"),
    [
        (["install-all"], ["--tags=install-all,start"]),
        (["setup-all"], ["--tags=setup-all,start"]),
        (["install-service", "lago"], ["--tags=install-lago,start-group", "--extra-vars=group=lago"]),
        (["setup-service", "valkey"], ["--tags=setup-valkey,start-group", "--extra-vars=group=valkey"]),
        (["start-all"], ["--tags=start-all"]),
        (["stop-all"], ["--tags=stop-all"]),
        (["restart-all"], ["--tags=restart-all"]),
        (["start-group", "lago-api"], ["--tags=start-group", "--extra-vars=group=lago-api"]),
        (["stop-group", "lago-api"], ["--tags=stop-group", "--extra-vars=group=lago-api"]),
        (["restart-group", "lago-api"], ["--tags=restart-group", "--extra-vars=group=lago-api"]),
        (["run-tags", "install-valkey,start"], ["--tags=install-valkey,start"]),
        (["upgrade-postgres"], ["--tags=upgrade-postgres"]),
        (["import-postgres"], ["--tags=import-postgres"]),
        (["run-postgres-vacuum"], ["--tags=run-postgres-vacuum"]),
        (["run"], []),
    ],
)
def test_recipe(just, recipe, expected):
    further = ["-l", "lago.example.com", "-e", "a=one two"]
    done, asked = just(*recipe, *further)
    assert done.returncode == 0, done.stderr
    assert asked == ["--inventory", "inventory/hosts", "setup.yml", *expected, *further]
    assert "one two" not in done.stdout + done.stderr, "arguments may hold secrets"


@pytest.mark.parametrize(
    ("recipe", "expected"),
    [
        (["upgrade"], ["playbooks/upgrade.yml"]),
        (["upgrade", "v1.52.1"], ["playbooks/upgrade.yml", "--extra-vars=upgrade_to=v1.52.1"]),
        (["upgrade-plan", "v1.52.1"], ["playbooks/upgrade_plan.yml", "--extra-vars=upgrade_to=v1.52.1"]),
        (["rollback"], ["playbooks/rollback.yml"]),
    ],
)
def test_upgrade_takes_a_release(just, recipe, expected):
    further = ["-l", "vps.example.com", "-e", "confirm=vps.example.com"]
    done, asked = just(*recipe, *further)
    assert done.returncode == 0, done.stderr
    assert asked == ["--inventory", "inventory/hosts", *expected, *further]


@pytest.mark.parametrize(
    ("recipe", "expected"),
    [
        (["uninstall"], ["playbooks/uninstall.yml"]),
        (["exit-codes"], ["playbooks/exit_codes.yml"]),
        (["locks"], ["playbooks/locks.yml"]),
        (["backup"], ["playbooks/backup.yml"]),
        (["backups"], ["playbooks/backups.yml"]),
        (["verify-backup"], ["playbooks/verify_backup.yml"]),
        (["verify-backup", "--checksums"], ["playbooks/verify_backup.yml", "--extra-vars=checksums=true"]),
    ],
)
def test_recipe_with_a_playbook_of_its_own(just, recipe, expected):
    further = ["-l", "lago.example.com", "-e", "confirm=lago.example.com"]
    done, asked = just(*recipe, *further)
    assert done.returncode == 0, done.stderr
    assert asked == ["--inventory", "inventory/hosts", *expected, *further]


def test_where_the_flag_of_verify_backup_stands_does_not_matter(just):
    _done, asked = just("verify-backup", "-l", "lago.example.com", "--checksums")
    assert asked[3:] == ["-l", "lago.example.com", "--extra-vars=checksums=true"]


def test_every_recipe_for_servers_reaches_ansible(just):
    """With nothing but what it must be given, as most are typed; that none of them was forgotten above."""
    known = json.loads(just("--dump", "--dump-format=json")[0].stdout)["recipes"]
    recipes = {
        name: [one["name"] for one in recipe["parameters"] if one["kind"] != "star"]
        for name, recipe in known.items()
        if "_inventory" in [needed["recipe"] for needed in recipe["dependencies"]]
    }
    assert len(recipes) > 20
    for name, arguments in recipes.items():
        done, asked = just(name, *arguments)
        assert (done.returncode, done.stderr.count("not found")) == (0, 0), (name, done.stderr)
        assert asked[:2] == ["--inventory", "inventory/hosts"], name


def test_adopt_compose(just):
    done, asked = just("adopt-compose", "/opt/lago", "-e", "confirm=lago.example.com")
    assert done.returncode == 0
    assert asked[2:] == [
        "playbooks/adopt_compose.yml", "--extra-vars=adopt_directory=/opt/lago", "-e", "confirm=lago.example.com",
    ]  # fmt: skip
    assert just("adopt-compose")[0].returncode != 0, "which one it is has to be said"


def test_restore(just):
    done, asked = just("restore", "3f2a91c0", "-l", "lago.example.com")
    assert done.returncode == 0, done.stderr
    assert asked[2:] == ["playbooks/restore.yml", "--extra-vars=restored=3f2a91c0", "-l", "lago.example.com"]
    assert just("restore")[0].returncode != 0, "which one it is has to be said"


def test_rehearsal(just):
    _done, asked = just("rehearse-upgrade", "v1.52.1", "-l", "lago.example.com")
    assert asked[2:] == ["playbooks/rehearse_upgrade.yml", "--extra-vars=upgrade_to=v1.52.1", "-l", "lago.example.com"]
    assert just("rehearse-upgrade")[1][2:] == ["playbooks/rehearse_upgrade.yml"]


def test_another_inventory(just):
    (done, asked) = just("inventory=inventory", "install-all")
    assert done.returncode == 0, done.stderr
    assert asked[:2] == ["--inventory", "inventory"]


def test_no_inventory_is_an_error_that_says_what_to_do(just):
    done, asked = just("inventory=nothing/hosts", "install-all")
    assert done.returncode != 0
    assert "just add-inventory-host" in done.stderr
    assert asked is None


@pytest.mark.parametrize(
    "recipe",
    [
        ["roles"],
        ["optimize"],
        ["optimize-for-host", "a"],
        ["optimize-restore"],
        ["optimize-reset"],
        ["opml"],
        ["mise", "-y"],
        ["prek-install-git-pre-commit-hook"],
    ],
)
def test_recipes_that_need_nothing_here_succeed(just, recipe):
    done, asked = just(*recipe)
    assert done.returncode == 0, done.stderr
    assert done.stdout
    assert asked is None


# MASH's recipes.
NAMES = [
    *("default", "add-inventory-host", "roles", "update", "update-playbook-only", "optimize"),
    *("optimize-for-host", "optimize-restore", "optimize-reset", "install-all", "setup-all", "install-service"),
    *("setup-service", "run", "run-tags", "start-all", "stop-all", "start-group"),
    *("stop-group", "prek", "prek-run-on-staged", "prek-run-on-all", "versions", "opml"),
    *("mise",),
]


@pytest.mark.parametrize("name", NAMES)
def test_every_recipe_of_mash_is_there(just, name):
    done, _asked = just("--show", name)
    assert done.returncode == 0, done.stderr


def test_a_recipe_that_is_not_there(just):
    assert just("--show", "nothing")[0].returncode != 0
