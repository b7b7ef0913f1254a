# SPDX-FileCopyrightText: 2026 The selfhosting.lago authors
# SPDX-License-Identifier: AGPL-3.0-or-later
class WebhooksController < ActionController::API
  def create
    webhook = InboundWebhook.create!(source: params[:provider], organization_id: params[:organization_id],
      code: params[:code], payload: request.raw_post, status: "pending")
    WebhookJob.perform_later(webhook.id)
    head :ok
  end
end
