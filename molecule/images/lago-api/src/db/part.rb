# SPDX-FileCopyrightText: 2026 The selfhosting.lago authors
# SPDX-License-Identifier: AGPL-3.0-or-later
# The SQL of a migration, which structure.sql holds as well.
module Part
  def self.of(migration) = File.read(File.join(__dir__, "parts", "#{File.basename(migration, ".rb")}.sql"))
end
