# SPDX-FileCopyrightText: 2026 The selfhosting.lago authors
# SPDX-License-Identifier: AGPL-3.0-or-later
class User < ApplicationRecord
  has_secure_password
  has_many :memberships
  has_many :organizations, through: :memberships
  validates :email, presence: true, uniqueness: true
end
