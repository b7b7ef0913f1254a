# SPDX-FileCopyrightText: 2026 The selfhosting.lago authors
# SPDX-License-Identifier: AGPL-3.0-or-later
require_relative "../part"

class AddUniqueCodes < ActiveRecord::Migration[7.2]
  def up = execute(Part.of(__FILE__))
end
