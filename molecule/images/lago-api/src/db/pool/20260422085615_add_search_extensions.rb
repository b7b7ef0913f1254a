# SPDX-FileCopyrightText: 2026 The selfhosting.lago authors
# SPDX-License-Identifier: AGPL-3.0-or-later
require_relative "../part"

class AddSearchExtensions < ActiveRecord::Migration[7.2]
  def up
    enable_extension "btree_gin"
    enable_extension "pg_trgm"
    execute Part.of(__FILE__)
  end
end
