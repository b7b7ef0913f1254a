# SPDX-FileCopyrightText: 2026 The selfhosting.lago authors
# SPDX-License-Identifier: AGPL-3.0-or-later
module Clock
  class BillCustomersJob < ClockJob
    def perform
      Organization.find_each { |organization| BillOrganizationJob.perform_later(organization.id, Time.current.to_date.iso8601) }
    end
  end
end
