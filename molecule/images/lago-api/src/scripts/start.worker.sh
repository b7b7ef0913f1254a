#!/bin/bash
# SPDX-FileCopyrightText: 2026 The selfhosting.lago authors
# SPDX-License-Identifier: AGPL-3.0-or-later
# Also start.<kind>.worker.sh: the kind is part of the name of the link.
name=${0##*/start.}
name=${name%worker.sh}
mapfile -t queues < <(ruby config/workers.rb "${name%.}")
[ "${#queues[@]}" -gt 0 ] || exit 64
exec sidekiq -t 25 "${queues[@]}"
