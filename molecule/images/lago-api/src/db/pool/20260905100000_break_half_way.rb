# SPDX-FileCopyrightText: 2026 The selfhosting.lago authors
# SPDX-License-Identifier: AGPL-3.0-or-later
class BreakHalfWay < ActiveRecord::Migration[7.2]
  disable_ddl_transaction!

  def up
    execute "ALTER TABLE organizations ADD COLUMN IF NOT EXISTS half_done boolean DEFAULT true"
    execute "UPDATE organizations SET half_done = true"
    raise "This migration fails half way"
  end
end
