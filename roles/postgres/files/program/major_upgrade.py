# SPDX-FileCopyrightText: 2026 The selfhosting.lago authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""To another major version: dumped from the old data directory, restored into a new one beside it, compared, switched.

Until the switch the old directory is only read, and after it it is kept. Both servers are reached over a socket of
their own and have no network: nothing can be written that would not be in the dump.
"""

from __future__ import annotations

import ctypes
import json
import os
import shutil
import time

import clients
import postgres
from shell import Failure, lasting, run, say, sized

# A new data directory on a slow disk.
START_SECONDS = 180
# Log of a server that works, beside the databases; PostgreSQL's own max_wal_size here.
LOG_BYTES = 4 * 1024**3
# A small database needs hardly more than itself.
LEAST_SPARE = 256 * 1024**2
PARTMAN = "pg_partman"
AVAILABLE = "SELECT json_object_agg(name, default_version) FROM pg_available_extensions"
SETTINGS = f"""
SELECT json_build_array(d.datname, r.rolname, split_part(s.setting, '=', 1),
                        substr(s.setting, strpos(s.setting, '=') + 1))
  FROM pg_db_role_setting c JOIN pg_database d ON d.oid = c.setdatabase LEFT JOIN pg_roles r ON r.oid = c.setrole,
       unnest(c.setconfig) AS s(setting)
 WHERE d.datname IN ({postgres.DATABASES.replace(" ORDER BY 1", "")})
 ORDER BY 1::text
"""
# Of renameat2(2): both names are there at any time.
AT_FDCWD, RENAME_EXCHANGE = -100, 2


def upgrade(configuration, arguments, state):
    data, version = configuration["data_path"], str(arguments["version"])
    current, started = major_of(data), time.monotonic()
    if current == version and not arguments["force"]:
        say(f"Postgres is {current} already")
        return
    if int(current) > int(version):
        raise Failure(
            f"{data} is of Postgres {current}, and there is no way back to {version}. Nothing was changed. The data of "
            f"before is in {arguments['backup_path']} (postgres_auto_upgrade_backup_data_path), where it still exists."
        )
    new, kept = f"{data}-auto-upgrade-new", arguments["backup_path"]
    dump = os.path.join(arguments["dump_dir"], arguments["dump_name"])
    old_server = postgres.Server(configuration["container"], configuration["user"])
    check_paths(data, kept, dump)
    check_space(old_server.size(), data, arguments["dump_dir"])
    extensions = {
        name: json.loads(old_server.ask(postgres.EXTENSIONS, name)[0] or "{}") for name in old_server.databases()
    }
    run(["docker", "image", "inspect", "--format={{.Id}}", arguments["image"]])
    clients.users_of(configuration["unit"], configuration["stop"])

    state.add("containers", f"{configuration['container']}-old", f"{configuration['container']}-new")
    state.add("directories", new, dump, os.path.join(configuration["state_path"], "sockets"))
    clients.remove(new)
    new_server = begin(configuration, "new", arguments["image"], new, load=True)
    problems = missing_extensions(extensions, json.loads(new_server.ask(AVAILABLE)[0] or "{}"))
    if problems:
        raise Failure("Nothing was changed:\n" + "\n".join(f"  {problem}" for problem in problems))
    remarks = unlike(data, new)

    closed = time.monotonic()
    clients.stop_users(configuration, state)
    say(f"Stopping {configuration['unit']}")
    state.note(stopped=[configuration["unit"], *state.get("stopped")])
    run(["systemctl", "stop", "--", configuration["unit"]])
    old_image = image_of(configuration["unit_files"][0])
    old_server = begin(configuration, "old", old_image, data)
    os.makedirs(dump, mode=0o700)
    old_server.dump_globals(os.path.join(dump, "globals.sql"))
    databases = {}
    for number, name in enumerate(old_server.databases(), 1):
        say(f"Dumping database {name}")
        file = os.path.join(dump, f"{number}.dump")
        databases[name] = {"file": file, **old_server.dump(name, file)}
    settings = settings_of(old_server)
    end(old_server)

    new_server.restore_globals(os.path.join(dump, "globals.sql"))
    for name, database in databases.items():
        say(f"Restoring database {name}")
        new_server.restore(name, database["properties"], database["file"])
    for database, role, name, value in settings:
        new_server.ask(setting(database, role, name, value))
    compare(databases, settings, new_server)
    end(new_server)
    os.sync()

    switch(configuration, state, {"new": new, "kept": kept, "images": [old_image, arguments["image"]]})
    clients.recover(configuration, state)
    say(f"Postgres {current} has become {version}; its users were stopped for {lasting(time.monotonic() - closed)}")
    new_server = postgres.Server(configuration["container"], configuration["user"])
    say("Collecting statistics for the planner")
    run(new_server.program("vacuumdb", "--all", "--analyze-only", "--quiet"), what="Collecting statistics")
    for remark in remarks:
        say(remark)
    say(f"Done in {lasting(time.monotonic() - started)}. The data of Postgres {current} is kept in {kept}")
    say(f"When you need it no more: rm -r {kept}")


def major_of(data):
    try:
        with open(os.path.join(data, "PG_VERSION"), encoding="utf-8") as file:
            return file.read().strip()
    except FileNotFoundError:
        raise Failure(f"There is no Postgres in {data} that could be upgraded.") from None


def check_paths(data, kept, dump):
    if os.path.lexists(kept):
        raise Failure(
            f"{kept} is there from an earlier upgrade. Remove it when you do not need it any more (rm -r {kept}), or "
            "set postgres_auto_upgrade_backup_data_path to another place. Nothing was changed."
        )
    if os.path.lexists(dump):
        raise Failure(f"{dump} is there already. Remove it or set postgres_dump_name. Nothing was changed.")
    for name, path in (
        ("postgres_auto_upgrade_backup_data_path", os.path.dirname(kept)),
        ("postgres_dump_dir", os.path.dirname(dump)),
    ):
        if not os.path.isdir(path):
            raise Failure(f"{name}: there is no directory {path}. Make it or name another. Nothing was changed.")
    if os.stat(os.path.dirname(kept)).st_dev != os.stat(data).st_dev:
        raise Failure(
            f"postgres_auto_upgrade_backup_data_path is on another file system than {data}; the data is renamed, not "
            "copied. Name a place on the same one. Nothing was changed."
        )


def check_space(size, data, dump_directory):
    """The new directory is no larger than the old one, and a dump has no indexes."""
    needs = {os.stat(data).st_dev: [data, size + min(LOG_BYTES, size + LEAST_SPARE)]}
    dump = needs.setdefault(os.stat(dump_directory).st_dev, [dump_directory, 0])
    dump[1] += size
    for path, need in needs.values():
        free = shutil.disk_usage(path).free
        if free < need:
            raise Failure(
                f"{path} has {sized(free)} free and the upgrade needs up to {sized(need)} there, for the new data "
                "directory and a dump. Make room, or set postgres_dump_dir to another file system. Nothing was changed."
            )


def missing_extensions(databases, available):
    """What the new server has not, or has in a version that is another program."""
    problems = []
    for database, extensions in sorted(databases.items()):
        for name, version in sorted(extensions.items()):
            if name not in available:
                problems.append(f"Database {database} uses the extension {name}, which the new image does not have.")
            elif name == PARTMAN and version.split(".")[0] != available[name].split(".")[0]:
                problems.append(
                    f"Database {database} has {name} {version}, and the new image {available[name]}: its functions "
                    f"and its table of settings changed between major versions. First bring it to {available[name]} in "
                    "the old Postgres, as its own pages on upgrades say."
                )
    return problems


def begin(configuration, role, image, data, load=False):
    """A server on a data directory, which nobody else reaches."""
    container = f"{configuration['container']}-{role}"
    sockets = os.path.join(configuration["state_path"], "sockets", role)
    uid, gid = configuration["ids"].split(":")
    for directory in (sockets, data):
        os.makedirs(directory, mode=0o700, exist_ok=True)
        os.chown(directory, int(uid), int(gid))
    run(["docker", "rm", "--force", "--volumes", container], check=False)
    # What is lost in a power cut is made anew; what is complete is on the disk before the switch.
    options = ["-c", "fsync=off", "-c", "full_page_writes=off"] if load else []
    run([
        "docker", "run", "--detach", f"--name={container}", "--pull=never", "--network=none", "--cap-drop=ALL",
        "--security-opt=no-new-privileges", f"--user={uid}:{gid}", f"--shm-size={configuration['shm_size']}",
        f"--env-file={configuration['environment_file']}",
        f"--mount=type=bind,source={data},target=/data",
        f"--mount=type=bind,source={sockets},target={postgres.SOCKET}",
        image, "postgres", *configuration["arguments"], *options,
    ])  # fmt: skip
    deadline = time.monotonic() + START_SECONDS
    # Over TCP: the server that initialises a directory listens on its socket only.
    asked = [
        "docker",
        "exec",
        container,
        "pg_isready",
        "--quiet",
        "--host=127.0.0.1",
        f"--username={configuration['user']}",
    ]
    while run(asked, check=False).returncode:
        if time.monotonic() > deadline or not running(container):
            said = run(["docker", "logs", "--tail=20", container], check=False)
            raise Failure(f"Postgres ({image}) does not start on {data}:\n{said.stdout}{said.stderr}".strip())
        time.sleep(0.3)
    return postgres.Server(container, configuration["user"])


def running(container):
    return run(["docker", "inspect", "--format={{.State.Running}}", container], check=False).stdout.strip() == "true"


def end(server):
    """In order, with a checkpoint."""
    run(["docker", "stop", "--time=120", server.container])
    code = run(["docker", "inspect", "--format={{.State.ExitCode}}", server.container]).stdout.strip()
    if code != "0":
        raise Failure(f"{server.container} did not shut down in order: exit code {code}")
    run(["docker", "rm", "--volumes", server.container])


def unlike(data, new):
    """What stands in files of the old data directory and in no dump."""
    remarks = []
    for name in ("pg_hba.conf", "postgresql.conf", "postgresql.auto.conf"):
        lines = [effective(os.path.join(directory, name)) for directory in (data, new)]
        # Each version's example has values of its own; what initdb writes into it is always commented or the same.
        own = [line for line in lines[0] if line not in lines[1]]
        if name != "postgresql.conf" and own:
            remarks.append(f"These lines of {name} are not carried over: {'; '.join(own)}")
    return remarks


def effective(path):
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return [" ".join(line.split()) for line in file if line.strip() and not line.startswith("#")]
    except FileNotFoundError:
        return []


def settings_of(server):
    """What was set with ALTER DATABASE, which a dump of one database does not hold."""
    return sorted((json.loads(line) for line in server.ask(SETTINGS)), key=str)


def setting(database, role, name, value):
    name = ".".join(postgres.identifier(part) for part in name.split("."))
    target = f"DATABASE {postgres.identifier(database)}"
    if role:
        target = f"ROLE {postgres.identifier(role)} IN {target}"
    return f"ALTER {target} SET {name} TO {postgres.literal(value)}"


def compare(databases, settings, server):
    """Rows of every table, indexes, extensions, schema version."""
    say("Comparing every table")
    problems = []
    for name, expected in databases.items():
        session = postgres.Session(server.container, server.user, name)
        try:
            found = postgres.describe(session.ask)
        finally:
            session.close()
        for extension, version in sorted(expected["extensions"].items()):
            now = found["extensions"].get(extension)
            if now and now != version:
                say(f"{name}: {extension} {version} is {now} now")
        names = {**expected, "extensions": sorted(expected["extensions"])}
        problems += postgres.differences(name, names, {**found, "extensions": sorted(found["extensions"])})
    if settings_of(server) != settings:
        problems.append("what was set with ALTER DATABASE is not the same")
    if problems:
        raise Failure(
            "The new database is not the same, and the old one goes on:\n" + "\n".join(f"  {one}" for one in problems)
        )
    tables = sum(len(database["tables"]) for database in databases.values())
    rows = sum(sum(database["tables"].values()) for database in databases.values())
    indexes = sum(database["indexes"] for database in databases.values())
    say(f"The same: {len(databases)} databases, {tables} tables, {rows} rows, {indexes} indexes")


def image_of(unit_file):
    with open(unit_file, encoding="utf-8") as file:
        return next(line.split("=", 1)[1].strip() for line in file if line.startswith("Image="))


def switch(configuration, state, change):
    """From here on the new directory is the database, whatever happens."""
    change["inode"] = os.stat(change["new"]).st_ino
    state.note(switch=change)
    exchange(change["new"], configuration["data_path"])
    finish(configuration, change)
    state.note(switch={}, directories=[path for path in state.get("directories") if path != change["new"]])


def finish(configuration, change):
    """The rest of a switch that has begun; nothing where it has not."""
    if os.stat(configuration["data_path"]).st_ino != change["inode"]:
        return
    if os.path.isdir(change["new"]):
        os.rename(change["new"], change["kept"])
    old, new = change["images"]
    for path in configuration["unit_files"]:
        if os.path.exists(path):
            with open(path, encoding="utf-8") as file:
                text = file.read()
            clients.write(path, text.replace(old, new))
    run(["systemctl", "daemon-reload"])


def exchange(one, other):
    library = ctypes.CDLL(None, use_errno=True)
    if library.renameat2(AT_FDCWD, os.fsencode(one), AT_FDCWD, os.fsencode(other), RENAME_EXCHANGE):
        code = ctypes.get_errno()
        raise Failure(f"{one} and {other} cannot change places: {os.strerror(code)}")
