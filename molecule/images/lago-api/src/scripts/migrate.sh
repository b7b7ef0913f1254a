#!/bin/bash
# SPDX-FileCopyrightText: 2026 The selfhosting.lago authors
# SPDX-License-Identifier: AGPL-3.0-or-later
set -e
tasks=(db:migrate roles:seed_predefined)
if [ "$LAGO_CREATE_ORG" = true ]; then
  tasks+=(signup:seed_organization)
fi
# What stands behind ? in the URL is for Rails alone.
answers() { ruby -rpg -e 'PG.connect(ENV["DATABASE_URL"][/[^?]*/])' 2> /dev/null; }
# Before v1.52 the database is always created, which a role without that right, or a pooler, refuses.
if [[ "$(cat LAGO_VERSION)" < v1.52 ]] || ! answers; then
  tasks=(db:create "${tasks[@]}")
fi
# Lago's own script boots Rails for each of them; one process does the same sooner.
exec rails "${tasks[@]}"
