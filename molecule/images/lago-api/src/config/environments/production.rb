# SPDX-FileCopyrightText: 2026 The selfhosting.lago authors
# SPDX-License-Identifier: AGPL-3.0-or-later
Rails.application.configure do
  config.enable_reloading = false
  # Only what serves requests needs all of it at once: workers and the clock boot with a second of CPU less.
  config.eager_load = defined?(Rails::Server) ? true : false
  config.consider_all_requests_local = false
  config.force_ssl = false
  config.assume_ssl = !Settings.tls_disabled?
  config.action_cable.disable_request_forgery_protection = true
  config.log_tags = [:request_id]
  config.active_storage.service =
    if Settings.s3? then :amazon
    elsif Settings.gcs? then :google
    else :local
    end
  config.cache_store = [:redis_cache_store, Settings.cache_redis] if Settings.cache_in_redis?
end
