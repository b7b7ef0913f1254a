# SPDX-FileCopyrightText: 2026 The selfhosting.lago authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""What ends an upgrade before it begins, and a switch that is one at any moment."""

from types import SimpleNamespace

import clients
import major_upgrade
import pytest
from shell import Failure

AVAILABLE = {"pg_partman": "5.2.4", "pgcrypto": "1.3"}


@pytest.mark.parametrize(
    ("extensions", "text"),
    [
        ({"pg_partman": "5.0.1", "pgcrypto": "1.2"}, None),
        ({"pg_partman": "4.7.2"}, "Database lago has pg_partman 4.7.2, and the new image 5.2.4"),
        ({"postgis": "3.0"}, "Database lago uses the extension postgis, which the new image does not have"),
    ],
)
def test_extensions(extensions, text):
    problems = major_upgrade.missing_extensions({"lago": extensions}, AVAILABLE)
    assert bool(problems) == bool(text)
    assert all(problem.startswith(text) for problem in problems)


def test_an_older_version_says_where_the_data_of_before_is(tmp_path):
    (tmp_path / "PG_VERSION").write_text("17\n")
    arguments = {"version": 16, "force": False, "backup_path": "/mash/kept"}
    with pytest.raises(Failure, match=r"no way back to 16\. Nothing was changed\. The data of before is in /mash/kept"):
        major_upgrade.upgrade({"data_path": str(tmp_path)}, arguments, None)


@pytest.mark.parametrize(("free", "enough"), [(2.2, False), (3.5, True)])
def test_space(monkeypatch, tmp_path, free, enough):
    """A second data directory with its log, and a dump."""
    monkeypatch.setattr(major_upgrade.shutil, "disk_usage", lambda _path: SimpleNamespace(free=free * 10**9))
    if enough:
        major_upgrade.check_space(10**9, str(tmp_path), str(tmp_path))
    else:
        with pytest.raises(Failure, match=r"has 2\.2 GB free and the upgrade needs up to 3\.\d GB"):
            major_upgrade.check_space(10**9, str(tmp_path), str(tmp_path))


def test_data_of_an_earlier_upgrade_is_not_overwritten(tmp_path):
    data, kept = tmp_path / "data", tmp_path / "kept"
    data.mkdir()
    major_upgrade.check_paths(str(data), str(kept), str(tmp_path / "dump"))
    kept.mkdir()
    with pytest.raises(Failure, match="is there from an earlier upgrade"):
        major_upgrade.check_paths(str(data), str(kept), str(tmp_path / "dump"))


@pytest.fixture
def server(monkeypatch, tmp_path):
    """Two data directories and a unit; systemd and Docker are not asked."""
    for name in ("data", "new"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "PG_VERSION").write_text(name)
    (tmp_path / "unit").write_text("Image=a:15\n")
    monkeypatch.setattr(major_upgrade, "run", lambda *_command, **_options: SimpleNamespace(stdout="", returncode=0))
    monkeypatch.setattr(clients, "run", major_upgrade.run)
    configuration = {
        "data_path": str(tmp_path / "data"),
        "state_path": str(tmp_path),
        "unit_files": [str(tmp_path / "unit"), str(tmp_path / "none")],
    }
    change = {"new": str(tmp_path / "new"), "kept": str(tmp_path / "kept"), "images": ["a:15", "a:17"]}
    return SimpleNamespace(path=tmp_path, configuration=configuration, change=change)


def found(server):
    return {
        name: (server.path / name / "PG_VERSION").read_text() if (server.path / name).exists() else None
        for name in ("data", "new", "kept")
    }


def test_a_switch(server):
    state = clients.State(server.configuration)
    state.add("directories", server.change["new"])
    major_upgrade.switch(server.configuration, state, server.change)
    assert found(server) == {"data": "new", "new": None, "kept": "data"}
    assert (server.path / "unit").read_text() == "Image=a:17\n"


def test_a_switch_that_dies_in_the_middle_is_completed(server, monkeypatch):
    state = clients.State(server.configuration)
    state.add("directories", server.change["new"])

    def die(*_arguments):
        raise KeyboardInterrupt

    with monkeypatch.context() as broken:
        broken.setattr(major_upgrade, "finish", die)
        with pytest.raises(KeyboardInterrupt):
            major_upgrade.switch(server.configuration, state, server.change)
    assert found(server) == {"data": "new", "new": "data", "kept": None}
    clients.recover(server.configuration, clients.State(server.configuration), major_upgrade.finish)
    assert found(server) == {"data": "new", "new": None, "kept": "data"}, "the old data is kept"
    assert (server.path / "unit").read_text() == "Image=a:17\n"
    assert clients.State(server.configuration).values == {}


def test_what_dies_before_the_switch_leaves_the_old_data(server):
    state = clients.State(server.configuration)
    state.add("directories", server.change["new"])
    state.note(switch={**server.change, "inode": (server.path / "new").stat().st_ino})
    clients.recover(server.configuration, clients.State(server.configuration), major_upgrade.finish)
    assert found(server) == {"data": "data", "new": None, "kept": None}
    assert (server.path / "unit").read_text() == "Image=a:15\n"


def test_old_data_is_never_removed_because_it_cannot_be_kept(server):
    """Somebody made the place where it goes meanwhile."""
    state = clients.State(server.configuration)
    state.add("directories", server.change["new"])
    (server.path / "kept").mkdir()
    (server.path / "kept" / "PG_VERSION").write_text("somebody's")
    with pytest.raises(OSError, match="not empty"):
        major_upgrade.switch(server.configuration, state, server.change)
    with pytest.raises(OSError, match="not empty"):
        clients.recover(server.configuration, clients.State(server.configuration), major_upgrade.finish)
    assert found(server) == {"data": "new", "new": "data", "kept": "somebody's"}


def test_a_setting_of_a_database():
    assert major_upgrade.setting("a", None, "work_mem", "8MB") == """ALTER DATABASE "a" SET "work_mem" TO '8MB'"""
    assert major_upgrade.setting("a", "b", "x.y", "1") == """ALTER ROLE "b" IN DATABASE "a" SET "x"."y" TO '1'"""
