#!/bin/sh
# SPDX-FileCopyrightText: 2026 The selfhosting.lago authors
# SPDX-License-Identifier: AGPL-3.0-or-later
set -eu
# A server that finds no append only file starts empty, whatever its snapshot holds. So an instance that has kept
# snapshots only loads the snapshot first and writes the file from that. The manifest is written last: a conversion that
# died is begun again.
if [ -s /data/dump.rdb ] && [ ! -s /data/appendonlydir/appendonly.aof.manifest ]; then
  echo "Converting the snapshot to an append only file"
  socket=/tmp/convert.sock
  valkey-server --port 0 --unixsocket "$socket" --dir /data --save "" --appendonly no &
  server=$!
  info() { valkey-cli -s "$socket" INFO persistence 2>/dev/null | tr -d '\r'; }
  until info | grep -q '^loading:0$'; do
    kill -0 "$server" || exit 1
    sleep 0.2
  done
  valkey-cli -s "$socket" CONFIG SET appendonly yes
  until info | grep -q '^aof_rewrite_in_progress:0$' && info | grep -q '^aof_rewrite_scheduled:0$'; do
    sleep 0.2
  done
  if ! info | grep -q '^aof_last_bgrewrite_status:ok$'; then
    echo "The append only file could not be written; the snapshot is as it was" >&2
    exit 1
  fi
  valkey-cli -s "$socket" SHUTDOWN NOSAVE || true
  wait "$server" || true
fi
exec valkey-server /config/valkey.conf
