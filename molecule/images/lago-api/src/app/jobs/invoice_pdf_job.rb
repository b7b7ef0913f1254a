# SPDX-FileCopyrightText: 2026 The selfhosting.lago authors
# SPDX-License-Identifier: AGPL-3.0-or-later
class InvoicePdfJob < ApplicationJob
  routed :pdfs, :pdfs, :invoices
  retry_on StandardError, wait: 3.seconds, attempts: 6

  def perform(invoice) = InvoicePdf.generate(invoice)
end
