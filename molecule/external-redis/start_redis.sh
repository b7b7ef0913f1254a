#!/bin/sh
# SPDX-FileCopyrightText: 2026 The selfhosting.lago authors
# SPDX-License-Identifier: AGPL-3.0-or-later

# Real servers on a Docker network "redis": redis-tls (port 6380, TLS only, user lago), redis-1 with its replica redis-2,
# sentinel-1 to -3. IMAGE and PASSWORD come from prepare.yml; the password holds neither backslash nor double quote.
set -eu

docker network create --subnet=10.98.0.0/24 redis

start() {
    name=$1 address=$2
    shift 2
    docker run --detach --name="$name" --hostname="$name" --network=redis --ip="$address" --restart=no \
        --volume="/srv/redis/$name:/conf" --volume=/srv/redis:/tls:ro --user=0 --entrypoint=valkey-server "$IMAGE" \
        "/conf/server.conf" "$@"
}

for name in redis-tls redis-1 redis-2 sentinel-1 sentinel-2 sentinel-3; do
    mkdir -p "/srv/redis/$name"
done
openssl req -x509 -newkey rsa:2048 -nodes -days 30 -subj /CN=redis-tls -addext subjectAltName=DNS:redis-tls \
    -keyout /srv/redis/certificate-key.pem -out /srv/redis/certificate.pem
chmod 0644 /srv/redis/certificate.pem

cat >/srv/redis/redis-tls/server.conf <<EOF
protected-mode no
port 0
tls-port 6380
tls-cert-file /tls/certificate.pem
tls-key-file /tls/certificate-key.pem
tls-ca-cert-file /tls/certificate.pem
tls-auth-clients no
user default off
user lago on "~*" "&*" +@all ">$PASSWORD"
EOF
start redis-tls 10.98.0.2

for number in 1 2; do
    cat >"/srv/redis/redis-$number/server.conf" <<EOF
protected-mode no
dir /conf
appendonly yes
requirepass "$PASSWORD"
masterauth "$PASSWORD"
EOF
done
start redis-1 10.98.0.11
start redis-2 10.98.0.12 --replicaof 10.98.0.11 6379

for number in 1 2 3; do
    cat >"/srv/redis/sentinel-$number/server.conf" <<EOF
protected-mode no
port 26379
dir /tmp
sentinel monitor billing 10.98.0.11 6379 2
sentinel auth-pass billing "$PASSWORD"
sentinel down-after-milliseconds billing 2000
sentinel failover-timeout billing 10000
EOF
    start "sentinel-$number" "10.98.0.2$number" --sentinel
done
touch /srv/redis/started
