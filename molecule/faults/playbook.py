# SPDX-FileCopyrightText: 2026 The selfhosting.lago authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""What an administrator does with the playbook, and what goes wrong with it: further ways that faults.yml names."""

from __future__ import annotations

from testbed import servers
from testbed.time_zones import ZONES
from verify import inside, plays
from verify.waiting import eventually

from .stage import WELL_SECONDS, Stage, tag_of

MIGRATION = "mash-lago-migrate"
CLOCK = "mash-lago-api-clock"
# Until a run has come to the point where it is to be killed, on a busy machine.
POINT_SECONDS = 240
QUICK = "execute 'SELECT 1'"
# Later than any of the image's own.
FIRST_MIGRATION = 20260828000000


def restart_with_playbook(stage: Stage, tags: str, group: str = "") -> None:
    stage.must_play(f"--tags={tags}", **({"group": group} if group else {}))


def change_of_configuration(stage: Stage) -> None:
    """All processes of Lago are restarted."""
    one, other = next(zones for zones in ZONES.values() if stage.time_zone() in zones)
    stage.must_play(lago_environment_variables_tz=other if stage.time_zone() == one else one)


def upgrade(stage: Stage) -> None:
    tag = next_version(stage, QUICK)
    stage.must_play(lago_api_container_image_tag=tag)
    assert stage.current()["lago_api_container_image_tag"] == tag


def failing_migration(stage: Stage) -> None:
    """The old version goes on serving, and no human is needed for that."""
    before = inside.invocations(stage.host)
    failed = stage.play(lago_api_container_image_tag=next_version(stage, 'raise "This migration fails"'))
    assert failed.returncode != 0
    assert "This migration fails" in failed.stdout + failed.stderr
    stage.human |= inside.invocations(stage.host) != before


def killed_migration(stage: Stage) -> None:
    """The run says that it failed; the next one begins at the gate again and gets through."""
    tag = next_version(stage, takes_its_time(stage))
    run = stage.begin(lago_api_container_image_tag=tag)
    eventually(lambda: migrates(stage), seconds=POINT_SECONDS)
    stage.host.check_output("docker kill --signal=KILL %s", MIGRATION)
    said = run.communicate()[0]
    assert run.returncode != 0, said
    again(stage, tag)


def power_cut_in_migration(stage: Stage) -> None:
    """Nothing of the new version starts by itself after that; the next run begins at the gate again."""
    before = {name: one["Image"] for name, one in inside.containers(stage.host).items()}
    tag = next_version(stage, takes_its_time(stage))
    run = stage.begin(lago_api_container_image_tag=tag)
    eventually(lambda: migrates(stage), seconds=POINT_SECONDS)
    servers.power_cut(stage.server)
    plays.kill(run)
    stage.human |= not stage.within(WELL_SECONDS, stage.is_well)
    assert {name: one["Image"] for name, one in inside.containers(stage.host).items()} == before
    again(stage, tag)


def killed_run(stage: Stage) -> None:
    """At another point in each repetition; the connection to the server ends with it. Then the same run again."""
    tag = next_version(stage, takes_its_time(stage))
    points = [
        lambda: migrates(stage),
        lambda: inside.properties(stage.host, CLOCK, "ActiveState")["ActiveState"] != "active",
        lambda: stage.current()["lago_api_container_image_tag"] == tag,
    ]
    run = stage.begin(lago_api_container_image_tag=tag)
    eventually(points[(stage.repetition - 1) % len(points)], seconds=POINT_SECONDS, every=0.1)
    plays.kill(run)
    again(stage, tag)


def two_runs_at_once(stage: Stage) -> None:
    """Both want the same new version. One may give way to the other; the next run finds all done."""
    tag = next_version(stage, takes_its_time(stage))
    runs = [stage.begin(lago_api_container_image_tag=tag) for _ in range(2)]
    said = [run.communicate() for run in runs]
    assert 0 in [run.returncode for run in runs], said
    again(stage, tag)


def again(stage: Stage, tag: str) -> None:
    """The same command once more is all that an administrator should have to do."""
    done = stage.play(lago_api_container_image_tag=tag)
    if done.returncode != 0:
        print(done.stdout, done.stderr)
        stage.human = True
        eventually(lambda: stage.play(lago_api_container_image_tag=tag).returncode == 0, seconds=WELL_SECONDS)


def takes_its_time(stage: Stage) -> str:
    return f"execute 'SELECT pg_sleep({stage.migration_seconds})'"


def migrates(stage: Stage) -> bool:
    """The migration of the new version is in the database's hands."""
    return "pg_sleep" in inside.sql(
        stage.host, "SELECT query FROM pg_stat_activity WHERE state = 'active' AND pid <> pg_backend_pid()"
    )


def next_version(stage: Stage, migration: str) -> str:
    """An image with one more migration than the one that runs, made on the server: no registry has it."""
    running = inside.containers(stage.host)["mash-lago-api"]
    images = stage.host.check_output("docker images --format={{.Tag}} getlago/api").split()
    base, _, _patch = tag_of(running["Config"]["Image"]).rpartition(".")
    number = max(int(tag.rpartition(".")[2]) for tag in images if tag.startswith(f"{base}.")) + 1
    tag = f"{base}.{number}"
    source = f"class Fault{number} < ActiveRecord::Migration[7.2]; def up; {migration}; end; end"
    dockerfile = (
        f"FROM {running['Image']}\\n"
        f"COPY migration.rb db/migrate/{FIRST_MIGRATION + number}_fault{number}.rb\\n"
        f"RUN echo {tag} > LAGO_VERSION\\n"
        f"ENV LAGO_VERSION={tag}\\n"
    )
    directory = stage.host.check_output("mktemp --directory")
    for file, text in (("migration.rb", source), ("Dockerfile", dockerfile)):
        stage.host.check_output("printf %s > %s", text.replace("%", "%%"), f"{directory}/{file}")
    stage.host.check_output("docker build --quiet --tag=getlago/api:%s %s", tag, directory)
    return tag
