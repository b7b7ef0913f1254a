# SPDX-FileCopyrightText: 2026 The selfhosting.lago authors
# SPDX-License-Identifier: AGPL-3.0-or-later
class EventsRecord < ApplicationRecord
  self.abstract_class = true
  connects_to database: { writing: :events, reading: :events }
end
