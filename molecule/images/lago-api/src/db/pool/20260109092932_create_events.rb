# SPDX-FileCopyrightText: 2026 The selfhosting.lago authors
# SPDX-License-Identifier: AGPL-3.0-or-later
require_relative "../part"

class CreateEvents < ActiveRecord::Migration[7.2]
  def up
    # An upgrade does without pg_partman where it is not installed. A fresh installation, from structure.sql, does not.
    if select_value("SELECT 1 FROM pg_available_extensions WHERE name = 'pg_partman'")
      execute "CREATE SCHEMA IF NOT EXISTS partman"
      execute "CREATE EXTENSION IF NOT EXISTS pg_partman WITH SCHEMA partman"
    end
    execute Part.of(__FILE__)
  end
end
