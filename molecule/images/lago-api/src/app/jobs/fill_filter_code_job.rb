# SPDX-FileCopyrightText: 2026 The selfhosting.lago authors
# SPDX-License-Identifier: AGPL-3.0-or-later
class FillFilterCodeJob < ApplicationJob
  queue_as :low_priority

  def perform(organization_id)
    Organization.where(id: organization_id, filter_code: nil).update_all("filter_code = id::text")
  end
end
