# SPDX-FileCopyrightText: 2026 The selfhosting.lago authors
# SPDX-License-Identifier: AGPL-3.0-or-later
module Api
  module V1
    class OrganizationsController < BaseController
      def show = answer

      def update
        fields = params.require(:organization).permit(:webhook_url, :country, :default_currency, :address_line1, :email, :city,
          :legal_name, :timezone, :net_payment_term)
        current_organization.update!(fields.to_h.compact)
        answer
      end

      private

      def answer
        render json: { organization: current_organization.attributes.except("id", "filter_code")
          .merge("lago_id" => current_organization.id, "webhook_urls" => [current_organization.webhook_url].compact) }
      end
    end
  end
end
