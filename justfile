# SPDX-FileCopyrightText: 2026 The selfhosting.lago authors
# SPDX-License-Identifier: AGPL-3.0-or-later

# Every recipe that reaches servers takes further arguments of ansible-playbook, for example
# `just install-all -l lago.example.com` or `just setup-all --check`.

set positional-arguments := true

# Ansible of this clone without activating .venv; where there is none, the one on PATH.
export PATH := justfile_directory() / ".venv" / "bin" + ":" + env("PATH")

# Another inventory: `just inventory=other/hosts install-all`.
inventory := "inventory/hosts"

play := "ansible-playbook --inventory " + quote(inventory) + " setup.yml"
playbook := "ansible-playbook --inventory " + quote(inventory) + " playbooks/"

# List what can be done
default:
    @"{{ just_executable() }}" --list --unsorted --justfile "{{ justfile() }}"

# Add a server, with fresh secrets: add-inventory-host lago.example.com 203.0.113.10
[group("inventory")]
add-inventory-host host address:
    @bin/add-inventory-host "$@"

# Say everything that is wrong with values and servers, and change nothing
[group("install")]
preflight *arguments: _inventory
    ansible-playbook --inventory {{ quote(inventory) }} playbooks/preflight.yml "$@"

# Say how a Lago of the vendor's compose project would move here: adopt-compose /opt/lago. To do it: -e confirm=HOST
[group("install")]
adopt-compose directory *arguments: _inventory
    shift; {{ playbook }}adopt_compose.yml --extra-vars={{ quote("adopt_directory=" + directory) }} "$@"

# Install everything that is enabled and start it; leaves what has been disabled
[group("install")]
install-all *arguments: _inventory
    {{ play }} --tags=install-all,start "$@"

# Like install-all, and removes what has been disabled
[group("install")]
setup-all *arguments: _inventory
    {{ play }} --tags=setup-all,start "$@"

# Install one service and start its group: install-service lago
[group("install")]
install-service service *arguments: _inventory
    shift; {{ play }} --tags={{ quote("install-" + service + ",start-group") }} --extra-vars={{ quote("group=" + service) }} "$@"

# Like install-service, and removes the service when it has been disabled
[group("install")]
setup-service service *arguments: _inventory
    shift; {{ play }} --tags={{ quote("setup-" + service + ",start-group") }} --extra-vars={{ quote("group=" + service) }} "$@"

# Start what is down and restart what differs
[group("services")]
start-all *arguments: _inventory
    {{ play }} --tags=start-all "$@"

# Stop everything
[group("services")]
stop-all *arguments: _inventory
    {{ play }} --tags=stop-all "$@"

# Restart everything, also what does not need it
[group("services")]
restart-all *arguments: _inventory
    {{ play }} --tags=restart-all "$@"

# Start one group, for example lago, postgres or lago-api-worker
[group("services")]
start-group group *arguments: _inventory
    shift; {{ play }} --tags=start-group --extra-vars={{ quote("group=" + group) }} "$@"

# Stop one group
[group("services")]
stop-group group *arguments: _inventory
    shift; {{ play }} --tags=stop-group --extra-vars={{ quote("group=" + group) }} "$@"

# Restart one group, also what does not need it
[group("services")]
restart-group group *arguments: _inventory
    shift; {{ play }} --tags=restart-group --extra-vars={{ quote("group=" + group) }} "$@"

# Show how containers ended, the last one below: exit codes, and whether they ran out of memory
[group("services")]
exit-codes *arguments: _inventory
    {{ playbook }}exit_codes.yml "$@"

# Show locks of Lago that no job holds any more and that block its jobs; with -e confirm=lago.example.com remove them
[group("services")]
locks *arguments: _inventory
    {{ playbook }}locks.yml "$@"

# Remove all services; the data stays. Asks for the host's name, or takes it: uninstall -e confirm=lago.example.com
[group("install")]
uninstall *arguments: _inventory
    {{ playbook }}uninstall.yml "$@"

# Print how an upgrade of Lago would go, and change nothing: upgrade-plan v1.52.1
[group("upgrade")]
upgrade-plan *arguments: _inventory
    case "${1-}" in v[0-9]*) version="--extra-vars=upgrade_to=$1"; shift; set -- "$version" "$@";; esac; {{ playbook }}upgrade_plan.yml "$@"

# Upgrade a copy of the newest backup, and say how long each migration took: rehearse-upgrade v1.52.1
[group("upgrade")]
rehearse-upgrade *arguments: _inventory
    case "${1-}" in v[0-9]*) version="--extra-vars=upgrade_to=$1"; shift; set -- "$version" "$@";; esac; {{ playbook }}rehearse_upgrade.yml "$@"

# Upgrade Lago over all mandatory stops; asks for the host's name: upgrade v1.52.1 -e confirm=lago.example.com
[group("upgrade")]
upgrade *arguments: _inventory
    case "${1-}" in v[0-9]*) version="--extra-vars=upgrade_to=$1"; shift; set -- "$version" "$@";; esac; {{ playbook }}upgrade.yml "$@"

# Go back to the state before the last upgrade; asks for the host's name, or takes -e confirm=lago.example.com
[group("upgrade")]
rollback *arguments: _inventory
    {{ playbook }}rollback.yml "$@"

# Back up now everything that the services have stored
[group("backup")]
backup *arguments: _inventory
    {{ playbook }}backup.yml "$@"

# Restore the newest backup on trial, beside what runs; with --checksums only read the stored bytes
[group("backup")]
verify-backup *arguments: _inventory
    for one; do shift; [ "$one" != --checksums ] || one=--extra-vars=checksums=true; set -- "$@" "$one"; done; {{ playbook }}verify_backup.yml "$@"

# Put a backup in the place of what is there: restore 3f2a91c0, or restore latest. Asks for the host's name
[group("backup")]
restore backup *arguments: _inventory
    shift; {{ playbook }}restore.yml --extra-vars={{ quote("restored=" + backup) }} "$@"

# Show the backups and which of them passed their trial
[group("backup")]
backups *arguments: _inventory
    {{ playbook }}backups.yml "$@"

# Bring Postgres to another major version; the old data is kept
[group("postgres")]
upgrade-postgres *arguments: _inventory
    {{ play }} --tags=upgrade-postgres "$@"

# Import a dump: import-postgres -e server_path_postgres_dump=/root/dump.sql.zst
[group("postgres")]
import-postgres *arguments: _inventory
    {{ play }} --tags=import-postgres "$@"

# Vacuum all databases: run-postgres-vacuum -e postgres_vacuum_preset=vacuum-analyze
[group("postgres")]
run-postgres-vacuum *arguments: _inventory
    {{ play }} --tags=run-postgres-vacuum "$@"

# Run the playbook with any arguments
[group("playbook")]
run +arguments: _inventory
    {{ play }} "$@"

# Run the playbook with these tags: run-tags install-valkey,start
[group("playbook")]
run-tags tags *arguments: _inventory
    shift; {{ play }} --tags={{ quote(tags) }} "$@"

# Take the newest version of this clone and of what it needs, and show what that changes in versions and defaults
[group("playbook")]
update *arguments:
    @bin/update

# Take the newest version of this clone
[group("playbook")]
update-playbook-only:
    git pull --ff-only --autostash

# Show what changed in versions and defaults since a commit or tag: changes v1.0.0
[group("playbook")]
changes old *arguments:
    @bin/changes "$@"

# Show the versions that get installed
[group("playbook")]
versions:
    @grep -Ev '^(#|---)' versions.yml

# Check style and licences
[group("development")]
lint *arguments:
    bin/test --group lint "$@"

# Unit tests alone; arguments go to pytest
[group("development")]
unit *arguments:
    pytest "$@"

# The checks that need no server
[group("development")]
test *arguments:
    bin/test --fast "$@"

# Everything that CI runs, every scenario on every release, and the long tests
[group("development")]
test-all *arguments:
    bin/test --full "$@"

# Measure; --json prints one object
[group("development")]
bench *arguments:
    bin/bench "$@"

# Make faults on a server under load and count what they cost; --short makes each kind once
[group("development")]
faults *arguments:
    bin/faults "$@"

# Write the lock files from pyproject.toml; --upgrade takes the newest versions
[group("development")]
lock *arguments:
    bin/lock "$@"

# What MASH needs and this project does not. The names stay so that habits and scripts keep working.

[private]
roles *arguments:
    @echo "Nothing to fetch: all roles are part of this clone."

[private]
optimize *arguments:
    @echo "Nothing to optimize: what is not enabled costs no tasks."

[private]
optimize-for-host host *arguments: optimize

[private]
optimize-restore *arguments: optimize

[private]
optimize-reset *arguments: optimize

[private]
opml *arguments:
    @echo "There is no list of release feeds: just versions shows every version."

[private]
mise *arguments:
    @echo "mise is not used here: bin/setup installs what is needed."

[private]
prek *arguments: lint

[private]
prek-run-on-staged *arguments: lint

[private]
prek-run-on-all *arguments: lint

[private]
prek-install-git-pre-commit-hook *arguments:
    @echo "There is no hook to install: just lint is what CI runs first."

# Without this, a run on no server at all would count as a success.
_inventory:
    @test -e "{{ inventory }}" || { echo >&2 "{{ inventory }} is missing. Make it: just add-inventory-host lago.example.com <IP address>"; exit 1; }
