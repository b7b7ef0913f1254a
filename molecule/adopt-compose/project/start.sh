#!/bin/bash
# SPDX-FileCopyrightText: 2026 The selfhosting.lago authors
# SPDX-License-Identifier: AGPL-3.0-or-later

# What `docker compose up` makes of the vendor's project, written from the facts: names, labels, volumes, ports. Then it
# gets data: events, an invoice with its file, a credential, jobs that nobody serves.
set -eu

eventually() {
    for _ in $(seq 480); do
        if "$@" >/dev/null 2>&1; then return; fi
        sleep 0.5
    done
    echo "not in time: $*" >&2
    "$@"
}

cd /opt/lago
pull() {
    docker pull --quiet "$1"
    [ "$#" = 1 ] || docker tag "$1" "$2"
}
# Stand-ins under the vendor's names.
pull docker.io/postgres:15-trixie getlago/postgres-partman:15.0-alpine
pull "docker.io/valkey/valkey:${VALKEY}-alpine" redis:7-alpine
pull "getlago/api:${VERSION}"
pull "getlago/front:${VERSION}"
pull "getlago/lago-gotenberg:${GOTENBERG}"
docker network create --label=com.docker.compose.project=lago lago_default
for volume in postgres redis storage rsa; do
    docker volume create --label=com.docker.compose.project=lago "lago_lago_${volume}_data"
done

set -a
# shellcheck disable=SC1091 # it is there on the server only
MAIL_DOMAIN=example.test . ./.env
set +a
start() {
    service=$1
    name=$2
    shift 2
    docker run --detach --name="${name}" --network=lago_default --network-alias="${service}" --restart=unless-stopped \
        --label=com.docker.compose.project=lago --label="com.docker.compose.service=${service}" \
        --label=com.docker.compose.project.working_dir=/opt/lago --label=com.docker.compose.oneoff=False \
        --label=com.docker.compose.project.config_files=/opt/lago/docker-compose.yml "$@"
}
start db lago-db --env=POSTGRES_DB=lago --env=POSTGRES_USER=lago --env=POSTGRES_PASSWORD --env=PGDATA=/data/postgres \
    --volume=lago_lago_postgres_data:/data/postgres --publish=5432:5432 getlago/postgres-partman:15.0-alpine
start redis lago-redis --volume=lago_lago_redis_data:/data --publish=6379:6379 redis:7-alpine --port 6379
eventually docker exec lago-db pg_isready --host=127.0.0.1 --username=lago

cat >backend.env <<END
LAGO_API_URL=${LAGO_API_URL}
LAGO_FRONT_URL=${LAGO_FRONT_URL}
DATABASE_URL=postgresql://lago:of%20the%20vendor's%20project@db:5432/lago?search_path=public
REDIS_URL=redis://redis:6379
REDIS_PASSWORD=
LAGO_REDIS_CACHE_URL=redis://redis:6379
LAGO_REDIS_CACHE_PASSWORD=
SECRET_KEY_BASE=${SECRET_KEY_BASE}
RAILS_ENV=production
RAILS_LOG_TO_STDOUT=true
LAGO_RSA_PRIVATE_KEY=
LAGO_SIDEKIQ_WEB=true
LAGO_ENCRYPTION_PRIMARY_KEY=${LAGO_ENCRYPTION_PRIMARY_KEY}
LAGO_ENCRYPTION_DETERMINISTIC_KEY=${LAGO_ENCRYPTION_DETERMINISTIC_KEY}
LAGO_ENCRYPTION_KEY_DERIVATION_SALT=${LAGO_ENCRYPTION_KEY_DERIVATION_SALT}
LAGO_USE_AWS_S3=false
LAGO_AWS_S3_ACCESS_KEY_ID=azerty123456
LAGO_AWS_S3_REGION=us-east-1
LAGO_PDF_URL=http://pdf:3000
LAGO_FROM_EMAIL=${LAGO_FROM_EMAIL}
LAGO_DISABLE_SIGNUP=${LAGO_DISABLE_SIGNUP}
LAGO_OAUTH_PROXY_URL=https://proxy.getlago.com
LAGO_LICENSE=
LAGO_DISABLE_SEGMENT=
SENTRY_DSN=
END
backend=(--env-file=backend.env --volume=lago_lago_storage_data:/app/storage --volume=lago_lago_rsa_data:/app/config/keys)
docker run --rm --volume=lago_lago_rsa_data:/keys --env=LD_PRELOAD= "getlago/api:${VERSION}" \
    ruby -ropenssl -e 'File.write("/keys/private.pem", OpenSSL::PKey::RSA.new(2048).to_pem)'
# As in an installation that is older than pg_partman in Lago: all migrations ran, one after the other.
docker run --rm --network=lago_default "${backend[@]}" --env=SCHEMA=/none --env=LAGO_CREATE_ORG=true \
    --env=LAGO_ORG_NAME=Example --env=LAGO_ORG_USER_EMAIL=admin@example.test --env=LAGO_ORG_USER_PASSWORD=secret-of-admin \
    --env="LAGO_ORG_API_KEY=${API_KEY}" "getlago/api:${VERSION}" \
    sh -c 'rails db:migrate && rails roles:seed_predefined && rails signup:seed_organization'

start api lago-api "${backend[@]}" --publish=3000:3000 "getlago/api:${VERSION}" ./scripts/start.api.sh
start api-worker lago-worker "${backend[@]}" "getlago/api:${VERSION}" ./scripts/start.worker.sh
start api-clock lago-clock "${backend[@]}" "getlago/api:${VERSION}" ./scripts/start.clock.sh
start front lago-front --env="API_URL=${LAGO_API_URL}" --env=APP_ENV=production --publish=80:80 --publish=443:443 \
    "getlago/front:${VERSION}"
start pdf lago-pdf "getlago/lago-gotenberg:${GOTENBERG}"

in_api() { docker exec lago-api "$@"; }
request() {
    path=$1
    shift
    in_api curl --silent --show-error --fail --header "Authorization: Bearer ${API_KEY}" \
        --header "Content-Type: application/json" "http://localhost:3000${path}" "$@"
}
eventually in_api curl --silent --fail http://localhost:3000/health
for number in $(seq 20); do
    request /api/v1/events --data "{\"event\": {\"transaction_id\": \"compose-${number}\", \"code\": \"calls\",
        \"external_subscription_id\": \"subscription\", \"timestamp\": 1700000000}}"
done
invoice=$(request /api/v1/invoices --data '{"invoice": {"number": "COMPOSE-1", "currency": "EUR"}}' |
    sed 's/.*"lago_id": *"\([^"]*\)".*/\1/')
eventually sh -c "docker exec lago-api curl --silent --header 'Authorization: Bearer ${API_KEY}' \
    http://localhost:3000/api/v1/invoices/${invoice} | grep -q active_storage"
in_api rails "standin:store_secret[stripe,sk_live_of_the_customer]"
in_api rails "standin:enqueue_sleep[1,5,payments]"
touch /root/filled
