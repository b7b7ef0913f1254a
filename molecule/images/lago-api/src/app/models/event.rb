# SPDX-FileCopyrightText: 2026 The selfhosting.lago authors
# SPDX-License-Identifier: AGPL-3.0-or-later
class Event < EventsRecord
  validates :transaction_id, :code, :external_subscription_id, presence: true
end
