# SPDX-FileCopyrightText: 2026 The selfhosting.lago authors
# SPDX-License-Identifier: AGPL-3.0-or-later
require_relative "boot"
require "logger"
require "rails"
require "active_record/railtie"
require "active_job/railtie"
require "action_controller/railtie"
require "active_storage/engine"
require "action_cable/engine"
require "sidekiq"
require "sidekiq/rails"
require "rack/cors"
require "graphql"
require "jwt"
require "redis"
require_relative "settings"

# A real Lago takes its time to boot. Only what serves waits here: api, workers and clock, not the rake tasks.
if File.basename($PROGRAM_NAME).match?(/\A(sidekiq|clockwork)\z/) || (defined?(Rails::Server) && ENV["STANDIN_SERVES"])
  sleep Float(ENV.fetch("STANDIN_BOOT_SECONDS", 0))
end

# Rails gives DATABASE_URL to the primary database whatever database.yml says.
ENV["DATABASE_URL"] = Settings.database_url if Settings.database_proxy?

module Lago
  class Application < Rails::Application
    config.load_defaults 7.2
    config.api_only = true
    config.eager_load_paths += []
    config.generators.system_tests = nil
    config.active_job.queue_adapter = :sidekiq
    config.active_record.schema_format = :sql
    config.active_record.dump_schema_after_migration = false
    config.active_storage.variant_processor = :disabled
    config.active_record.encryption.primary_key = Settings.encryption_primary_key
    config.active_record.encryption.deterministic_key = Settings.encryption_deterministic_key
    config.active_record.encryption.key_derivation_salt = Settings.encryption_salt
    config.active_record.encryption.hash_digest_class = OpenSSL::Digest::SHA1
    config.middleware.insert_before 0, Rack::Cors do
      allow do
        origins(*Settings.cors_origins)
        resource "*", headers: :any, methods: %i[get post put patch delete options head]
      end
    end
    # As Lago's own list (config/initializers/filter_parameter_logging.rb): no password of who signs in is in the log.
    config.filter_parameters += %i[passw secret token _key crypt salt certificate otp ssn]
    config.log_level = ENV.fetch("LAGO_LOG_LEVEL", "info").to_sym
    if Settings.log_to_stdout?
      config.logger = ActiveSupport::TaggedLogging.new(ActiveSupport::Logger.new($stdout))
    end
  end
end
