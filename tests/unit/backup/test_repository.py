# SPDX-FileCopyrightText: 2026 The selfhosting.lago authors
# SPDX-License-Identifier: AGPL-3.0-or-later
import hashlib
import json
import random
from types import SimpleNamespace

import pytest
import repository
from shell import Failure, started

CONFIGURATION = {
    "repository": "/repository",
    "host": "lago.example.com",
    "identifier": "mash-backup",
    "options": ["sftp.command=ssh x"],
    "environment": {"AWS_SECRET_ACCESS_KEY": "secret of the bucket"},
    "password": "secret of the repository",
    "data_path": "/data",
}
SNAPSHOTS = [{"id": f"{letter * 64}", "short_id": letter * 8, "time": time} for letter, time in ("b2", "a1", "c3")]


@pytest.fixture
def restic(monkeypatch):
    """A repository whose restic only notes what it was asked; `answers` maps a verb to what it says."""

    def make(answers=None, **configuration):
        asked = []

        def run(command, check=True, environment=None, **_options):
            asked.append((command, environment))
            verb = next((word for word in command[1:] if not word.startswith("-")), "")
            status, out, err = (answers or {}).get(verb, (0, "[]", ""))
            return SimpleNamespace(returncode=status, stdout=out, stderr=err)

        monkeypatch.setattr(repository, "run", run)
        return repository.Repository({**CONFIGURATION, **configuration}), asked

    return make


def test_secrets_are_in_the_environment_only(restic):
    place, asked = restic()
    place.prepare()
    for command, environment in asked:
        assert "secret" not in " ".join(command)
        assert environment["RESTIC_PASSWORD"] == "secret of the repository"
        assert environment["AWS_SECRET_ACCESS_KEY"] == "secret of the bucket"


@pytest.mark.parametrize(
    ("answer", "expected"),
    [((1, "", f"stat: no such file\n{repository.MISSING}"), "init"), ((0, "{}", ""), "unlock")],
)
def test_it_is_made_where_there_is_none(restic, answer, expected):
    place, asked = restic({"cat": answer})
    place.prepare()
    assert expected in asked[-1][0]


def test_a_wrong_password_makes_no_new_repository(restic):
    place, asked = restic({"cat": (1, "", "Fatal: wrong password or no key found")})
    with pytest.raises(Failure, match="cannot be opened: Fatal: wrong password"):
        place.prepare()
    assert len(asked) == 1


def test_snapshots_are_sorted_and_found(restic):
    place, _asked = restic({"snapshots": (0, json.dumps(SNAPSHOTS), "")})
    assert [one["time"] for one in place.snapshots()] == ["1", "2", "3"]
    assert place.find("latest")["time"] == "3"
    assert place.find("bbbbbbbb")["time"] == "2"
    for name in ("bbb", "dddddddd", ""):
        with pytest.raises(Failure, match=r"There is no backup .*There are: aaaaaaaa, bbbbbbbb, cccccccc"):
            place.find(name)


@pytest.mark.parametrize(
    ("tags", "release"), [(["mash-backup", "lago-v1.52.1"], "v1.52.1"), (["mash-backup"], ""), (None, "")]
)
def test_the_release_of_a_backup(tags, release):
    assert repository.release_of({**SNAPSHOTS[0], "tags": tags}) == release


def test_no_repository_has_no_snapshots(restic):
    assert restic({"snapshots": (1, "", repository.MISSING)})[0].snapshots() == []
    with pytest.raises(Failure, match="There are: none"):
        restic({"snapshots": (1, "", repository.MISSING)})[0].find("latest")


def test_only_backups_of_this_host_are_forgotten(restic):
    place, asked = restic()
    place.forget({"daily": 7, "weekly": 4, "monthly": 0})
    command = asked[0][0]
    assert {"--tag=mash-backup", "--host=lago.example.com", "--keep-daily=7", "--keep-weekly=4"} <= set(command)
    # Of all releases together: tags do not make groups of their own.
    assert "--group-by=host" in command
    assert not [word for word in command if "monthly" in word]


def test_the_one_that_is_needed_is_not_forgotten(restic):
    ids = [one["id"] for one in SNAPSHOTS]
    groups = [{"keep": SNAPSHOTS[2:], "remove": SNAPSHOTS[:2]}, {"keep": SNAPSHOTS[:1], "remove": None}]
    place, asked = restic({"forget": (0, json.dumps(groups), "")})
    place.forget({"daily": 7}, needed=ids[0])
    planned, done = (command for command, _environment in asked)
    assert "--dry-run" in planned
    assert "--prune" in done
    assert [word for word in done if word in ids] == [ids[1]]
    # Nothing but the needed one: forget without a name and without rules would be asked for nothing.
    place, asked = restic({"forget": (0, json.dumps([{"remove": SNAPSHOTS[:1]}]), "")})
    place.forget({"daily": 7}, needed=ids[0])
    assert len(asked) == 1


def test_a_repository_with_nothing_of_ours_forgets_nothing(restic):
    place, asked = restic({"forget": (0, "", "")})
    place.forget({"daily": 7})
    assert len(asked) == 1


@pytest.fixture
def stored(tmp_path):
    """Files as restic names them, of all kinds and sizes."""
    chooser = random.Random(7)
    for kind in ("data/ab", "data/cd", "index", "keys", "snapshots"):
        directory = tmp_path / kind
        directory.mkdir(parents=True)
        for size in (1, 100, 70_000):
            content = chooser.randbytes(size)
            (directory / hashlib.sha256(content).hexdigest()).write_bytes(content)
    return tmp_path


def test_whole_files_are_not_damaged(restic, stored):
    assert restic(repository=str(stored))[0].damaged() == []


def test_each_of_100_bit_flips_is_noticed(restic, stored):
    place, _asked = restic(repository=str(stored))
    chooser = random.Random(7)
    files = sorted(path for path in stored.rglob("*") if path.is_file())
    for number in range(100):
        path = files[number % len(files)]
        content = bytearray(path.read_bytes())
        bit = chooser.randrange(len(content) * 8)
        content[bit // 8] ^= 1 << bit % 8
        whole = path.read_bytes()
        path.write_bytes(content)
        (text,) = place.damaged()
        assert text.startswith(str(path.relative_to(stored)))
        path.write_bytes(whole)


def test_truncated_files_are_noticed(restic, stored):
    path = max(stored.rglob("*"), key=lambda one: one.stat().st_size if one.is_file() else 0)
    path.write_bytes(path.read_bytes()[:-1])
    assert len(restic(repository=str(stored))[0].damaged()) == 1


def test_what_restic_finds_counts_as_well(restic, stored):
    assert restic({"check": (1, "", "pack abc is missing")}, repository=str(stored))[0].damaged() == [
        "pack abc is missing"
    ]


def test_elsewhere_restic_reads_all_of_it(restic, monkeypatch):
    place, _asked = restic({"stats": (0, '{"total_size": 5}', "")}, repository="s3:https://host/bucket")
    asked = []

    def fail(_progress, _counter, *arguments):
        asked.append(arguments)
        raise Failure("pack abc is broken")

    monkeypatch.setattr(place, "_long", fail)
    assert place.damaged() == ["pack abc is broken"]
    assert asked == [("check", "--read-data")]


def test_how_far_a_command_is_says_the_kernel():
    with open("/dev/null", "wb") as nothing, started(["sh", "-c", "cat"], stdin=-1, stdout=nothing) as process:
        before = repository.transferred(process.pid, "rchar")
        assert before > 0
        process.stdin.close()
    assert repository.transferred(process.pid, "rchar") == 0
