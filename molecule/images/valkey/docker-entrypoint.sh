#!/bin/sh
# SPDX-FileCopyrightText: 2026 The selfhosting.lago authors
# SPDX-License-Identifier: AGPL-3.0-or-later

# What the public image's entrypoint does: options or a configuration file alone mean valkey-server; root gives the
# data directory to valkey and steps down; files are made private.
set -e

case "${1-}" in
    -* | *.conf) set -- valkey-server "$@" ;;
esac

if [ "${1-}" = valkey-server ]; then
    if [ "$(id -u)" = 0 ]; then
        find . ! -user valkey -exec chown valkey {} +
        exec setpriv --reuid=valkey --regid=valkey --clear-groups -- "$0" "$@"
    fi
    if [ ! -w . ]; then
        echo "error: $PWD is not writable for user $(id -u)" >&2
        exit 1
    fi
    # The public image is built with protected mode off; Debian's build has it on, so an option says it,
    # unless the configuration file or the options do.
    if ! { echo "$*" && cat "${2-}" 2>/dev/null; } | grep -q protected-mode; then
        protected_mode='--protected-mode no'
    fi
fi

if [ "$(umask)" = 0022 ]; then
    umask 0077
fi

# shellcheck disable=SC2086 # flags are words, as in the public image
exec "$@" ${protected_mode-} ${VALKEY_EXTRA_FLAGS-}
