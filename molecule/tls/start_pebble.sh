#!/bin/sh
# SPDX-FileCopyrightText: 2026 The selfhosting.lago authors
# SPDX-License-Identifier: AGPL-3.0-or-later

# An ACME server, a DNS server in which every name is this server, and an API through which lego changes names there.
set -eu

docker network create --subnet=10.99.0.0/24 pebble
docker run --detach --name=names --network=pebble --ip=10.99.0.3 --publish=127.0.0.1:8055:8055 \
    letsencrypt/pebble-challtestsrv:debian \
    -dns01=:8053 -management=:8055 -defaultIPv4=10.99.0.1 -defaultIPv6= -http01= -https01= -tlsalpn01= -doh=
docker run --detach --name=pebble --network=pebble --publish=127.0.0.1:15000:15000 \
    --env=PEBBLE_VA_NOSLEEP=1 --env=PEBBLE_WFE_NONCEREJECT=0 letsencrypt/pebble:debian \
    -config=/test/config/pebble-config.json -dnsserver=10.99.0.3:8053
systemd-run --unit=dns-api /usr/bin/python3 /srv/pebble/dns_api.py
docker cp pebble:/test/certs/pebble.minica.pem /srv/pebble/
