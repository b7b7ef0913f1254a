# SPDX-FileCopyrightText: 2026 The selfhosting.lago authors
# SPDX-License-Identifier: AGPL-3.0-or-later
require_relative "../part"

class InitialMigration < ActiveRecord::Migration[7.2]
  def up
    if select_value("SELECT 1 FROM schema_migrations WHERE version = '20250120151959'")
      raise "You are migrating from an old version of Lago: upgrade to v1.20.0 first"
    end

    enable_extension "pgcrypto"
    enable_extension "unaccent"
    execute Part.of(__FILE__)
    # Data of a migration: a database that was loaded from structure.sql does not have it.
    execute "INSERT INTO roles (name, admin) VALUES ('admin', true), ('finance', false), ('manager', false)"
  end
end
