# SPDX-FileCopyrightText: 2026 The selfhosting.lago authors
# SPDX-License-Identifier: AGPL-3.0-or-later
# How Lago reads its environment. It mixes several readers, and a value that one of them takes for "off" is "on" to another:
# every variable keeps the reader it has in Lago. No other file looks at ENV for these.
require "active_support"
require "active_support/core_ext/object/blank"
require "active_model"
require "active_model/type"
require "base64"
require "uri"

module Settings
  module_function

  # The readers.
  def present?(name) = ENV[name].present?
  def truthy?(name) = !!ENV[name]
  def exactly_true?(name) = ENV[name] == "true"
  def cast?(name) = ActiveModel::Type::Boolean.new.cast(ENV[name]) || false
  def first_set(*names) = names.lazy.filter_map { |name| ENV[name] }.first
  def integer(name, default) = Integer(ENV[name].presence || default)

  # present?: even "false" switches it on.
  def clickhouse? = present?("LAGO_CLICKHOUSE_ENABLED")
  def clickhouse_migrations? = present?("LAGO_CLICKHOUSE_MIGRATIONS_ENABLED")
  def telemetry_export? = present?("OTEL_EXPORTER")
  def redis_store? = present?("LAGO_REDIS_STORE_URL")
  def redis_store_tls? = present?("LAGO_REDIS_STORE_SSL")

  # Set at all: even the empty string switches it on.
  def karafka_web? = truthy?("LAGO_KARAFKA_WEB")

  # Exactly "true".
  def signup_disabled? = exactly_true?("LAGO_DISABLE_SIGNUP")
  def sidekiq_web? = exactly_true?("LAGO_SIDEKIQ_WEB")
  def segment_disabled? = exactly_true?("LAGO_DISABLE_SEGMENT")
  def wallet_refresh_disabled? = exactly_true?("LAGO_DISABLE_WALLET_REFRESH")
  def lifetime_usage_refresh_disabled? = exactly_true?("LAGO_DISABLE_LIFETIME_USAGE_REFRESH")
  def log_to_stdout? = exactly_true?("RAILS_LOG_TO_STDOUT")
  def s3? = exactly_true?("LAGO_USE_AWS_S3")
  def gcs? = exactly_true?("LAGO_USE_GCS")
  def create_organization? = exactly_true?("LAGO_CREATE_ORG")
  def cloud? = exactly_true?("LAGO_CLOUD")

  # Rails' boolean cast: anything but "", 0, f, false, off (and their upper-case forms) is true, "False" and "no" included.
  def pdf_disabled? = cast?("LAGO_DISABLE_PDF_GENERATION")
  def tls_disabled? = cast?("LAGO_DISABLE_SSL")
  def events_validation_disabled? = cast?("LAGO_DISABLE_EVENTS_VALIDATION")
  def yjit? = cast?("LAGO_ENABLE_YJIT")
  def own_queue?(kind) = cast?("SIDEKIQ_#{kind.to_s.upcase}")

  # A || B: an empty A hides B.
  def encryption_primary_key = first_set("ENCRYPTION_PRIMARY_KEY", "LAGO_ENCRYPTION_PRIMARY_KEY")
  def encryption_deterministic_key = first_set("ENCRYPTION_DETERMINISTIC_KEY", "LAGO_ENCRYPTION_DETERMINISTIC_KEY")
  def encryption_salt = first_set("ENCRYPTION_KEY_DERIVATION_SALT", "LAGO_ENCRYPTION_KEY_DERIVATION_SALT")

  # fetch(A, B): the same.
  def cable_url = ENV.fetch("LAGO_REDIS_CABLE_URL", ENV["REDIS_URL"])
  def database_url = ENV.fetch("DATABASE_PROXY_URL", ENV["DATABASE_URL"])
  def database_proxy? = ENV.key?("DATABASE_PROXY_URL")
  def database_schema = ENV.fetch("POSTGRES_SCHEMA", "public")

  def front_url = ENV.fetch("LAGO_FRONT_URL", "https://app.getlago.com")
  def api_url = ENV["LAGO_API_URL"]

  # key?: a variable that is there but empty gives an origin that no browser ever sends.
  def cors_origins
    origins = []
    if ENV.key?("LAGO_FRONT_URL")
      url = URI.parse(ENV["LAGO_FRONT_URL"])
      port = url.port if url.port != url.default_port
      origins << [url.host, port].compact.join(":")
    elsif ENV.key?("LAGO_DOMAIN")
      origins << ENV["LAGO_DOMAIN"]
    end
    origins
  end

  # The PEM file wins over the variable. Unset is a crash (decoding nil), empty an abort, a raw PEM rubbish for OpenSSL.
  def rsa_private_key(file = "/app/config/keys/private.pem")
    require "openssl"
    pem = File.exist?(file) ? File.read(file) : Base64.decode64(ENV["LAGO_RSA_PRIVATE_KEY"])
    abort "Private key is blank" if pem.blank?
    OpenSSL::PKey::RSA.new(pem)
  end

  # Connection of Sidekiq and of the locks.
  def sidekiq_redis
    redis("REDIS_URL", "REDIS_PASSWORD", "LAGO_REDIS_SIDEKIQ").merge(reconnect_attempts: reconnect_delays)
  end

  def cache_redis
    redis("LAGO_REDIS_CACHE_URL", "LAGO_REDIS_CACHE_PASSWORD", "LAGO_REDIS_CACHE")
      .merge(pool: { size: integer("LAGO_REDIS_CACHE_POOL_SIZE", 5) })
  end

  def cache_in_redis? = present?("LAGO_REDIS_CACHE_URL") || present?("LAGO_REDIS_CACHE_SENTINELS")

  # Only these two: a cache that is reached by sentinels alone loses the wallet refresh.
  def shared_cache? = present?("LAGO_MEMCACHE_SERVERS") || present?("LAGO_REDIS_CACHE_URL")

  # With sentinels the URL still says user, password and database; its host and its scheme are not looked at, so there is no
  # TLS then. A sentinel without a port is asked at 6379, redis-client's own default.
  def redis(url, password, prefix)
    options = { url: ENV[url].presence, timeout: 1, ssl_params: { verify_mode: OpenSSL::SSL::VERIFY_NONE } }.compact
    if present?("#{prefix}_SENTINELS")
      options[:sentinels] = ENV["#{prefix}_SENTINELS"].split(",").map { |sentinel| host_and_port(sentinel) }
      options[:name] = ENV["#{prefix}_MASTER_NAME"].presence || "master"
      options[:role] = :master
    end
    options[:password] = ENV[password] if present?(password)
    options
  end

  def host_and_port(text)
    host, port = text.split(":").map(&:strip)
    { host: host, port: port.presence && Integer(port) }.compact
  end

  def reconnect_delays
    window = Float(ENV["LAGO_REDIS_SIDEKIQ_RETRY_WINDOW_SECONDS"].presence || 5)
    delays = [0.05, 0.2]
    delays << 0.5 while delays.sum + 0.5 <= window
    window.positive? ? delays : 0
  end

  def version
    file = File.expand_path("../LAGO_VERSION", __dir__)
    File.exist?(file) ? File.read(file).strip : "development"
  end
end
