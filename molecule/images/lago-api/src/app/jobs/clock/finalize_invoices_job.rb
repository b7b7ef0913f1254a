# SPDX-FileCopyrightText: 2026 The selfhosting.lago authors
# SPDX-License-Identifier: AGPL-3.0-or-later
module Clock
  class FinalizeInvoicesJob < ClockJob
    def perform
      Invoice.where(status: "draft").update_all(status: "finalized")
    end
  end
end
