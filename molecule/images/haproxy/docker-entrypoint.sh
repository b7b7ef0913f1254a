#!/bin/sh
# SPDX-FileCopyrightText: 2026 The selfhosting.lago authors
# SPDX-License-Identifier: AGPL-3.0-or-later

# Options alone mean haproxy; haproxy runs as master and worker, in the foreground.
set -e

case "${1-}" in
    -*) set -- haproxy "$@" ;;
esac

if [ "${1-}" = haproxy ]; then
    shift
    set -- haproxy -W -db "$@"
fi

exec "$@"
