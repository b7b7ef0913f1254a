# SPDX-FileCopyrightText: 2026 The selfhosting.lago authors
# SPDX-License-Identifier: AGPL-3.0-or-later
class BillOrganizationJob < ApplicationJob
  routed :billing, :billing, :default
  unique

  def perform(_organization_id, _date); end
end
