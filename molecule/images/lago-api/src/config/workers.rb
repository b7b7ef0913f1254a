# SPDX-FileCopyrightText: 2026 The selfhosting.lago authors
# SPDX-License-Identifier: AGPL-3.0-or-later
# Arguments of Sidekiq for a kind of worker: `ruby workers.rb pdfs`. Queues are served in strict order.
WORKERS = {
  "" => [10, %w[high_priority default mailers clock providers webhook invoices integrations low_priority long_running]],
  "events" => [10, %w[events]],
  "pdfs" => [10, %w[pdfs]],
  "billing" => [5, %w[billing billing_low_priority]],
  "clock" => [5, %w[clock_worker]],
  "webhook" => [10, %w[webhook_worker]],
  "payments" => [10, %w[payments]],
  "analytics" => [10, %w[analytics analytics_low_priority]],
  "ai_agent" => [10, %w[ai_agent]],
  "alerts" => [5, %w[alerts_high_priority alerts]],
  "wallets" => [10, %w[wallets]],
  "meilisearch" => [10, %w[meilisearch]],
  "dedicated" => [10, %w[dedicated_alerts dedicated_wallets]],
}.freeze

if __FILE__ == $PROGRAM_NAME
  concurrency, queues = WORKERS.fetch(ARGV.first.to_s)
  puts "-c", ENV.fetch("SIDEKIQ_CONCURRENCY", concurrency), *queues.flat_map { |queue| ["-q", queue] }
end
