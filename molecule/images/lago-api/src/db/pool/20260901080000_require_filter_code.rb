# SPDX-FileCopyrightText: 2026 The selfhosting.lago authors
# SPDX-License-Identifier: AGPL-3.0-or-later
require_relative "../part"

class RequireFilterCode < ActiveRecord::Migration[7.2]
  def up
    if select_value("SELECT 1 FROM organizations WHERE filter_code IS NULL LIMIT 1")
      raise "Organizations without filter_code: run upgrade:perform_required_jobs on v1.52 first"
    end

    execute Part.of(__FILE__)
  end
end
