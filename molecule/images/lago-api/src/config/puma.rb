# SPDX-FileCopyrightText: 2026 The selfhosting.lago authors
# SPDX-License-Identifier: AGPL-3.0-or-later
threads Integer(ENV.fetch("RAILS_MIN_THREADS", 0)), Integer(ENV.fetch("RAILS_MAX_THREADS", 3))
port Integer(ENV.fetch("PORT", 3000))
environment ENV.fetch("RAILS_ENV", "development")
pidfile ENV.fetch("PIDFILE", "tmp/pids/server.pid")
workers ENV.fetch("WEB_CONCURRENCY", 0).to_i
preload_app! unless ENV["WEB_CONCURRENCY"].to_s.empty?
worker_timeout(ENV.fetch("RAILS_ENV", "development") == "production" ? 12 : 3600)
worker_shutdown_timeout 30
# No control socket: with it Debian's pair of Ruby 3.3 and Puma 6.6 never ends on SIGTERM as PID 1 (the control thread hangs in IO#close).

# In cluster mode only, and only once the worker has stopped to accept: it drains nothing.
on_worker_shutdown do
  Rails.configuration.x.shutting_down = true
  sleep 5
end
