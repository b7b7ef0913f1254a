# SPDX-FileCopyrightText: 2026 The selfhosting.lago authors
# SPDX-License-Identifier: AGPL-3.0-or-later
require "sidekiq/web" if Settings.sidekiq_web?
require_relative "../../lib/liveness"

Sidekiq.configure_client { |config| config.redis = Settings.sidekiq_redis }

Sidekiq.configure_server do |config|
  config.redis = Settings.sidekiq_redis
  # Retries come from ActiveJob, Sidekiq itself makes none.
  config[:max_retries] = 0
  config[:dead_max_jobs] = Settings.integer("LAGO_SIDEKIQ_MAX_DEAD_JOBS", 100_000)
  config[:average_scheduled_poll_interval] = Settings.integer("LAGO_SIDEKIQ_AVERAGE_SCHEDULED_POLL_INTERVAL", 5)
  config.on(:startup) { Liveness.start }
end

if Settings.sidekiq_web?
  require "rack/session"
  Sidekiq::Web.use Rack::Session::Cookie, secret: Digest::SHA512.hexdigest(ENV.fetch("SECRET_KEY_BASE", "")), same_site: true
end
