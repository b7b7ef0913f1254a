#!/bin/sh
# SPDX-FileCopyrightText: 2026 The selfhosting.lago authors
# SPDX-License-Identifier: AGPL-3.0-or-later

# Options alone, or a subcommand of Traefik's, mean `traefik ...`; anything else is run as it stands.
set -e

case "${1-}" in
    -*) set -- traefik "$@" ;;
    traefik | "") ;;
    *)
        if traefik "$1" --help >/dev/null 2>&1; then
            set -- traefik "$@"
        fi
        ;;
esac

exec "$@"
