#!/bin/bash
# SPDX-FileCopyrightText: 2026 The selfhosting.lago authors
# SPDX-License-Identifier: AGPL-3.0-or-later
set -e
# Before v1.52 the database is always created, which a role without that right, or a pooler, refuses.
if [[ "$(cat LAGO_VERSION)" < v1.52 ]] || ! rails standin:database_answers 2>/dev/null; then
  rails db:create
fi
rails db:migrate
rails roles:seed_predefined
if [ "$LAGO_CREATE_ORG" = true ]; then
  rails signup:seed_organization
fi
