# SPDX-FileCopyrightText: 2026 The selfhosting.lago authors
# SPDX-License-Identifier: AGPL-3.0-or-later
class TakeLong < ActiveRecord::Migration[7.2]
  def up
    execute "SELECT pg_sleep(#{Float(ENV.fetch("STANDIN_MIGRATION_SECONDS", 20))})"
    execute "ALTER TABLE organizations ADD COLUMN taken_long boolean DEFAULT true"
  end
end
