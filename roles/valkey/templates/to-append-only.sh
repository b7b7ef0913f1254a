#!/bin/sh
# SPDX-FileCopyrightText: 2026 The selfhosting.lago authors
# SPDX-License-Identifier: AGPL-3.0-or-later
# to-append-only.sh HOST: has a server that runs and keeps snapshots, or nothing, write an append only file as well, and
# waits until everything is in it. After that it may be stopped in any way. /config is what the server was started with.
set -eu
host=$1
configuration=/config/valkey.conf

value() { sed -n "s/^$1 //p" "$configuration" | tail -n 1; }
ask() { valkey-cli -h "$host" -p "$port" "$@"; }
info() { ask INFO persistence | tr -d '\r'; }

port=$(value port)
port=${port:-6379}
password=$(value requirepass)
case $password in
  '"'*'"') password=$(printf '%s' "$password" | sed 's/^"//; s/"$//; s/\\\(.\)/\1/g') ;;
esac
# Not an argument: those are seen in the list of processes.
if [ -n "$password" ]; then
  export REDISCLI_AUTH="$password"
fi

until info | grep -q '^loading:0$'; do
  answer=$(ask PING 2>&1) || true
  case $answer in
    *PONG* | *LOADING*) sleep 0.2 ;;
    *)
      echo "$host:$port answers: $answer" >&2
      exit 1
      ;;
  esac
done
if [ "$(ask CONFIG GET appendonly | tail -n 1)" = yes ]; then
  echo "It writes one already"
  exit 0
fi
[ "$(ask CONFIG SET appendonly yes)" = OK ]
until info | grep -q '^aof_rewrite_in_progress:0$' && info | grep -q '^aof_rewrite_scheduled:0$'; do
  sleep 0.2
done
info | grep -q '^aof_last_bgrewrite_status:ok$' || {
  echo "The append only file could not be written; the server goes on without" >&2
  ask CONFIG SET appendonly no
  exit 1
}
echo "All data is in the append only file"
