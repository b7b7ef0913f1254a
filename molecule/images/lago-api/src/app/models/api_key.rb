# SPDX-FileCopyrightText: 2026 The selfhosting.lago authors
# SPDX-License-Identifier: AGPL-3.0-or-later
class ApiKey < ApplicationRecord
  belongs_to :organization
  before_create { self.value ||= SecureRandom.uuid }
end
