#!/bin/bash
# SPDX-FileCopyrightText: 2026 The selfhosting.lago authors
# SPDX-License-Identifier: AGPL-3.0-or-later
# The image's default command, with the holes of Lago's own: it goes on when the migration fails and never seeds the roles.
rails db:migrate
rails signup:seed_organization
rm -f ./tmp/pids/server.pid
exec rails s -b ::
