#!/bin/bash
# SPDX-FileCopyrightText: 2026 The selfhosting.lago authors
# SPDX-License-Identifier: AGPL-3.0-or-later

# Behaves like the public image's entrypoint where the product and Postgres' users rely on it:
# an empty data directory is initialised from POSTGRES_* and /docker-entrypoint-initdb.d, then the command runs.
set -Eeuo pipefail
shopt -s nullglob

# VALUE_FILE names a file that holds VALUE.
from_file() {
    local name="$1" default="${2-}" file="${1}_FILE"
    if [ -n "${!name-}" ] && [ -n "${!file-}" ]; then
        echo "error: both $name and $file are set" >&2
        exit 1
    fi
    if [ -n "${!file-}" ]; then
        default="$(<"${!file}")"
        unset "$file"
    fi
    export "$name=${!name:-$default}"
}

prepare_directories() {
    mkdir -p "$PGDATA" /var/run/postgresql
    chmod 0700 "$PGDATA" || true
    chmod 3775 /var/run/postgresql || true
    if [ "$(id -u)" = 0 ]; then
        find "$PGDATA" /var/run/postgresql ! -user postgres -exec chown postgres {} +
    fi
}

# initdb wants its user to have a name, and `docker run --user` may have given one without.
initialise() {
    local names
    if ! getent passwd "$(id -u)" >/dev/null; then
        names="$(mktemp -d)"
        echo "postgres:x:$(id -u):$(id -g):PostgreSQL:$PGDATA:/bin/false" >"$names/passwd"
        echo "postgres:x:$(id -g):" >"$names/group"
        export NSS_WRAPPER_PASSWD="$names/passwd" NSS_WRAPPER_GROUP="$names/group"
        LD_PRELOAD="$(echo /usr/lib/*/libnss_wrapper.so)"
        export LD_PRELOAD
    fi
    # POSTGRES_INITDB_ARGS is shell text with its own quotes, as in the public image.
    local arguments=()
    eval "arguments=($POSTGRES_INITDB_ARGS)"
    initdb --username="$POSTGRES_USER" --pwfile=<(printf '%s\n' "$POSTGRES_PASSWORD") "${arguments[@]}"
    if [ -n "${names-}" ]; then
        unset LD_PRELOAD NSS_WRAPPER_PASSWD NSS_WRAPPER_GROUP
        rm -r "$names"
    fi
}

# Other hosts log in with the password, stored the way this server encrypts passwords.
allow_hosts() {
    local method
    method="${POSTGRES_HOST_AUTH_METHOD:-$(postgres -C password_encryption "${@:2}")}"
    printf '\nhost all all all %s\n' "$method" >>"$PGDATA/pg_hba.conf"
}

sql() {
    PGHOST='' PGHOSTADDR='' psql -v ON_ERROR_STOP=1 --username "$POSTGRES_USER" --no-password --no-psqlrc "$@"
}

create_database() {
    local found
    found="$(sql --dbname postgres --tuples-only --set db="$POSTGRES_DB" \
        <<<"SELECT 1 FROM pg_database WHERE datname = :'db'")"
    if [ -z "$found" ]; then
        sql --dbname postgres --set db="$POSTGRES_DB" <<<'CREATE DATABASE :"db"'
    fi
}

run_init_files() {
    local file
    for file in /docker-entrypoint-initdb.d/*; do
        echo "$0: $file"
        case "$file" in
            *.sh)
                if [ -x "$file" ]; then
                    "$file"
                else
                    # shellcheck disable=SC1090 # the user's own script
                    . "$file"
                fi
                ;;
            *.sql) sql --dbname "$POSTGRES_DB" -f "$file" ;;
            *.sql.gz) gunzip -c "$file" | sql --dbname "$POSTGRES_DB" ;;
            *.sql.xz) xzcat "$file" | sql --dbname "$POSTGRES_DB" ;;
            *.sql.zst) zstd -dc "$file" | sql --dbname "$POSTGRES_DB" ;;
            *) echo "$0: ignoring $file" ;;
        esac
    done
}

# Nobody reaches the server over the network before it is complete.
set_up_with_temporary_server() {
    local options
    options="$(printf '%q ' "${@:2}" -c listen_addresses='' -p "${PGPORT:-5432}")"
    export PGPASSWORD="${PGPASSWORD:-$POSTGRES_PASSWORD}"
    NOTIFY_SOCKET='' PGUSER="$POSTGRES_USER" pg_ctl -D "$PGDATA" -o "$options" -w start
    create_database
    run_init_files
    PGUSER="$POSTGRES_USER" pg_ctl -D "$PGDATA" -m fast -w stop
    unset PGPASSWORD
}

asks_for_help() {
    local argument
    for argument; do
        case "$argument" in
            '-?' | --help | --describe-config | -V | --version) return 0 ;;
        esac
    done
    return 1
}

case "${1-}" in
    -*) set -- postgres "$@" ;;
esac

if [ "${1-}" = postgres ] && ! asks_for_help "$@"; then
    from_file POSTGRES_PASSWORD
    from_file POSTGRES_USER postgres
    from_file POSTGRES_DB "$POSTGRES_USER"
    from_file POSTGRES_INITDB_ARGS
    prepare_directories
    if [ "$(id -u)" = 0 ]; then
        exec gosu postgres "$0" "$@"
    fi
    if [ ! -s "$PGDATA/PG_VERSION" ]; then
        if [ -z "$POSTGRES_PASSWORD" ] && [ "${POSTGRES_HOST_AUTH_METHOD-}" != trust ]; then
            echo 'Error: the database is not initialised and POSTGRES_PASSWORD is empty.' >&2
            exit 1
        fi
        initialise
        allow_hosts "$@"
        set_up_with_temporary_server "$@"
        echo 'PostgreSQL init process complete; ready for start up.'
    else
        echo 'PostgreSQL Database directory appears to contain a database; Skipping initialization'
    fi
fi

exec "$@"
