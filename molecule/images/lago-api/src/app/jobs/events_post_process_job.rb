# SPDX-FileCopyrightText: 2026 The selfhosting.lago authors
# SPDX-License-Identifier: AGPL-3.0-or-later
class EventsPostProcessJob < ApplicationJob
  routed :events, :events, :default

  def perform(event_id)
    Event.where(id: event_id, processed_at: nil).update_all(processed_at: Time.current)
  end
end
