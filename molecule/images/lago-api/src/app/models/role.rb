# SPDX-FileCopyrightText: 2026 The selfhosting.lago authors
# SPDX-License-Identifier: AGPL-3.0-or-later
class Role < ApplicationRecord
  PREDEFINED = %w[admin finance manager].freeze
  scope :admins, -> { where(admin: true) }
end
