# SPDX-FileCopyrightText: 2026 The selfhosting.lago authors
# SPDX-License-Identifier: AGPL-3.0-or-later
class WebhookJob < ApplicationJob
  routed :webhook, :webhook_worker, :webhook

  def perform(webhook_id)
    InboundWebhook.where(id: webhook_id).update_all(status: "succeeded")
  end
end
