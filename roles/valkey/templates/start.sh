#!/bin/sh
# SPDX-FileCopyrightText: 2026 The selfhosting.lago authors
# SPDX-License-Identifier: AGPL-3.0-or-later
# start.sh append-only|snapshots SECONDS: makes what the other way of keeping data has left into what this one reads, and
# starts the server. One that finds no append only file starts empty, whatever its snapshot holds, and the other way round.
#
# After a change of the password the previous one, or none, is accepted for SECONDS as well: whoever uses the server works on
# until told of the new one.
set -eu
keeping=$1
grace=$2
socket=/tmp/convert.sock
files=/data/appendonlydir

ask() { valkey-cli -s "$socket" "$@"; }
info() { ask INFO persistence 2>/dev/null | tr -d '\r'; }

# A server that nobody else can reach.
serve() {
  valkey-server --port 0 --unixsocket "$socket" --dir /data --save "" "$@" &
  server=$!
  until info | grep -q '^loading:0$'; do
    kill -0 "$server" || exit 1
    sleep 0.2
  done
}

finish() {
  ask SHUTDOWN NOSAVE || true
  wait "$server" || true
}

fail() {
  echo "$1" >&2
  exit 1
}

case $keeping in
  append-only)
    # The manifest is written last: a conversion that died is begun again.
    if [ -s /data/dump.rdb ] && [ ! -s "$files/appendonly.aof.manifest" ]; then
      echo "Converting the snapshot to an append only file"
      serve --appendonly no
      ask CONFIG SET appendonly yes
      until info | grep -q '^aof_rewrite_in_progress:0$' && info | grep -q '^aof_rewrite_scheduled:0$'; do
        sleep 0.2
      done
      info | grep -q '^aof_last_bgrewrite_status:ok$' ||
        fail "The append only file could not be written; the snapshot is as it was"
      finish
    fi
    ;;
  snapshots)
    # What is left of the append only file would be old one day, and be taken for the newest.
    if [ -s "$files/appendonly.aof.manifest" ]; then
      echo "Converting the append only file to a snapshot"
      serve --appendonly yes
      [ "$(ask SAVE)" = OK ] || fail "The snapshot could not be written; the append only file is as it was"
      finish
    fi
    rm -rf "$files"
    ;;
esac

configuration=/config/valkey.conf
# The present and the previous rule of Valkey's access list, and when it changed. No password is in there.
note=/run/valkey/password
now=nopass
if [ -s /config/password ]; then
  now="#$(sha256sum </config/password | cut -d ' ' -f 1)"
fi
seen=$now before=$now changed=0
if [ -s "$note" ]; then
  read -r seen before changed <"$note"
fi
if [ "$seen" != "$now" ]; then
  before=$seen changed=$(date +%s)
fi
# It starts on a full disk as well.
(umask 077 && echo "$now $before $changed" >"$note.new" && mv "$note.new" "$note") || echo "$note could not be written" >&2
left=$((changed + grace - $(date +%s)))
if [ "$now" != nopass ] && [ "$before" != "$now" ] && [ "$left" -gt 0 ]; then
  echo "The previous password, or none where there was none, is accepted for $left s more"
  configuration=/tmp/valkey.conf
  # In this order: nopass takes all passwords away, and accepts any or none.
  echo "include /config/valkey.conf
user default on sanitize-payload ~* &* +@all $now $before" >"$configuration"
  (
    sleep "$left"
    echo "ACL SETUSER default resetpass $now" |
      REDISCLI_AUTH=$(cat /config/password) valkey-cli -s /run/valkey/valkey.sock >/dev/null
    echo "Only the new password is accepted from now on"
  ) &
fi
exec valkey-server "$configuration"
