#!/bin/sh
# SPDX-FileCopyrightText: 2026 The selfhosting.lago authors
# SPDX-License-Identifier: AGPL-3.0-or-later

# Starts what MASH laid out and gives it data: events, an invoice with its file, a credential, jobs that nobody serves.
set -eu

eventually() {
    for _ in $(seq 480); do
        if "$@" >/dev/null 2>&1; then return; fi
        sleep 0.5
    done
    echo "not in time: $*" >&2
    "$@"
}

for image in ${PULL}; do docker pull --quiet "${image}"; done
# The stand-ins are Debian's and exist in one version that is old enough.
docker pull --quiet "${POSTGRES}"
docker tag "${POSTGRES}" postgres:17-alpine
for part in api front; do
    docker pull --quiet "getlago/${part}:v1.51.0"
    docker tag "getlago/${part}:v1.51.0" "getlago/${part}:${VERSION}"
done
docker tag getlago/api:v1.51.0 example/notes:1.0
for network in ${NETWORKS}; do docker network create "${network}"; done

systemctl daemon-reload
systemctl enable --quiet --now mash-postgres mash-valkey mash-container-socket-proxy
sql() { docker exec --interactive mash-postgres psql --no-psqlrc --quiet --set=ON_ERROR_STOP=1 --username=root "$@"; }
eventually docker exec mash-postgres pg_isready --host=127.0.0.1 --username=root
for name in lago notes; do
    password=notes-password
    [ "${name}" = notes ] || password=${DATABASE_PASSWORD}
    sql --dbname=main <<END
CREATE ROLE ${name} LOGIN PASSWORD '${password}';
CREATE DATABASE ${name} OWNER ${name} TEMPLATE template0 ENCODING 'UTF8' LC_COLLATE 'C' LC_CTYPE 'C';
END
done
# As in an installation that is older than pg_partman in Lago: all migrations ran, one after the other.
docker run --rm --network=mash-postgres --env-file=/mash/lago/api/env --env=SCHEMA=/none "getlago/api:${VERSION}" \
    rails db:migrate
sql --dbname=notes <<END
SET ROLE notes;
CREATE TABLE notes (text text);
INSERT INTO notes VALUES ('a note of another service');
END

systemctl enable --quiet --now mash-traefik mash-notes mash-lago-pdf mash-lago-front mash-lago-api
in_api() { docker exec mash-lago-api "$@"; }
request() {
    path=$1
    shift
    in_api curl --silent --show-error --fail --header "Authorization: Bearer ${API_KEY}" \
        --header "Content-Type: application/json" "http://localhost:3000${path}" "$@"
}
eventually in_api curl --silent --fail http://localhost:3000/health
systemctl enable --quiet --now mash-lago-api-worker mash-lago-api-clock
eventually in_api curl --silent --fail http://localhost:8080/

for number in $(seq 20); do
    request /api/v1/events --data "{\"event\": {\"transaction_id\": \"mash-${number}\", \"code\": \"calls\",
        \"external_subscription_id\": \"subscription\", \"timestamp\": 1700000000}}"
done
invoice=$(request /api/v1/invoices --data '{"invoice": {"number": "MASH-1", "currency": "EUR"}}' |
    sed 's/.*"lago_id": *"\([^"]*\)".*/\1/')
eventually sh -c "docker exec mash-lago-api curl --silent --header 'Authorization: Bearer ${API_KEY}' \
    http://localhost:3000/api/v1/invoices/${invoice} | grep -q active_storage"
in_api rails "standin:store_secret[stripe,sk_live_of_the_customer]"
in_api rails "standin:enqueue_sleep[1,5,payments]"
touch /root/filled
