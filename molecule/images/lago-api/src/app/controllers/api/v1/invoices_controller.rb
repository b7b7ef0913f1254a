# SPDX-FileCopyrightText: 2026 The selfhosting.lago authors
# SPDX-License-Identifier: AGPL-3.0-or-later
module Api
  module V1
    class InvoicesController < BaseController
      def create
        fields = params[:invoice].respond_to?(:permit) ? params[:invoice].permit(:currency) : {}
        invoice = Invoice.transaction do
          current_organization.lock!
          number = format("INV-%06d", current_organization.invoices.count + 1)
          current_organization.invoices.create!(number: number, currency: fields[:currency] || "EUR", status: "finalized")
        end
        InvoicePdfJob.perform_later(invoice)
        render json: { invoice: present(invoice) }
      end

      def index
        render json: { invoices: current_organization.invoices.map { |invoice| present(invoice) } }
      end

      def show = with_invoice { |invoice| render json: { invoice: present(invoice) } }

      # Ready: the invoice. Not yet: an empty answer and a job.
      def download
        with_invoice do |invoice|
          next render(json: { invoice: present(invoice) }) if invoice.file.attached?

          InvoicePdfJob.perform_later(invoice)
          head :ok
        end
      end

      private

      def with_invoice
        invoice = current_organization.invoices.find_by(id: params[:id])
        invoice ? yield(invoice) : not_found("invoice")
      end

      AMOUNTS = %w[fees coupons taxes credit_notes progressive_billing_credit sub_total_excluding_taxes
        sub_total_including_taxes total total_due prepaid_credit].to_h { |name| ["#{name}_amount_cents", 0] }.freeze

      def present(invoice)
        AMOUNTS.merge(
          lago_id: invoice.id, number: invoice.number, issuing_date: invoice.created_at.to_date.iso8601, payment_overdue: false,
          net_payment_term: 0, invoice_type: "one_off", version_number: 4, status: invoice.status, payment_status: "pending",
          currency: invoice.currency, file_url: invoice.file_url,
        )
      end
    end
  end
end
