#!/bin/bash
# SPDX-FileCopyrightText: 2026 The selfhosting.lago authors
# SPDX-License-Identifier: AGPL-3.0-or-later
set -e
tasks=(db:migrate roles:seed_predefined)
if [ "$LAGO_CREATE_ORG" = true ]; then
  tasks+=(signup:seed_organization)
fi
# Before v1.52 the database is always created, which a role without that right, or a pooler, refuses. What stands behind ? in
# the URL is for Rails alone.
if [[ "$(cat LAGO_VERSION)" < v1.52 ]] || ! psql --quiet --command='SELECT 1' "${DATABASE_URL%%\?*}" > /dev/null 2>&1; then
  tasks=(db:create "${tasks[@]}")
fi
# Lago's own script boots Rails for each of them; one process does the same sooner.
exec rails "${tasks[@]}"
