# SPDX-FileCopyrightText: 2026 The selfhosting.lago authors
# SPDX-License-Identifier: AGPL-3.0-or-later
class Membership < ApplicationRecord
  belongs_to :organization
  belongs_to :user
  belongs_to :role
end
