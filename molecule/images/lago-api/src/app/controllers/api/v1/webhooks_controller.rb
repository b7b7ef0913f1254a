# SPDX-FileCopyrightText: 2026 The selfhosting.lago authors
# SPDX-License-Identifier: AGPL-3.0-or-later
module Api
  module V1
    # The public half of the key that signs webhooks, for those who check signatures. The plain form is the older one.
    class WebhooksController < BaseController
      def public_key = render(plain: encoded)
      def json_public_key = render(json: { webhook: { public_key: encoded } })

      private

      def encoded = Base64.encode64(RSA_PUBLIC_KEY.to_pem)
    end
  end
end
