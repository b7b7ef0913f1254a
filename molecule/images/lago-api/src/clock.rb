# SPDX-FileCopyrightText: 2026 The selfhosting.lago authors
# SPDX-License-Identifier: AGPL-3.0-or-later
# Clockwork keeps no memory: a restart within the minute of an event fires it again, a minute without a clock is lost.
require_relative "config/boot"
require_relative "config/environment"
require "clockwork"

module Clockwork
  error_handler { |error| Rails.logger.error("clock: #{error.class}: #{error.message}") }

  handler do |name|
    job = "Clock::#{name.delete_prefix("schedule:").camelize}Job".constantize
    ClockTick.create!(event: name, host: Socket.gethostname, pid: Process.pid)
    job.perform_later
  end

  every(Settings.integer("STANDIN_TICK_SECONDS", 10).seconds, "schedule:tick")
  every(1.hour, "schedule:bill_customers", at: "*:10")
  every(1.hour, "schedule:finalize_invoices", at: "*:20")
  unless Settings.lifetime_usage_refresh_disabled?
    every(Settings.integer("LAGO_LIFETIME_USAGE_REFRESH_INTERVAL_SECONDS", 300).seconds, "schedule:refresh_lifetime_usages")
  end
  if Settings.shared_cache? && !Settings.wallet_refresh_disabled?
    every(Settings.integer("LAGO_WALLET_ONGOING_BALANCE_REFRESH_INTERVAL_SECONDS", 300).seconds, "schedule:refresh_wallets")
  end
  every(10.seconds, "schedule:refresh_subscriptions") if Settings.redis_store? && Settings.clickhouse?
end
