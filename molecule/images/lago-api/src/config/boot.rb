# SPDX-FileCopyrightText: 2026 The selfhosting.lago authors
# SPDX-License-Identifier: AGPL-3.0-or-later
# Debian's gems: nothing to bundle.
require "rubygems"
gem "railties"
