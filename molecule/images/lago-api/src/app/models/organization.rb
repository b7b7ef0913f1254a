# SPDX-FileCopyrightText: 2026 The selfhosting.lago authors
# SPDX-License-Identifier: AGPL-3.0-or-later
class Organization < ApplicationRecord
  has_many :api_keys
  has_many :memberships
  has_many :users, through: :memberships
  has_many :invoices
  has_many :billable_metrics
  has_many :payment_providers
  validates :name, presence: true

  before_create do
    self.id ||= SecureRandom.uuid
    self.filter_code = id if has_attribute?(:filter_code)
  end
end
