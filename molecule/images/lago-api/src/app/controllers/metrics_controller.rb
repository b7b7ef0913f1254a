# SPDX-FileCopyrightText: 2026 The selfhosting.lago authors
# SPDX-License-Identifier: AGPL-3.0-or-later
require "sidekiq/api"

class MetricsController < ActionController::API
  def show
    lines = ["lago_info{version=\"#{Settings.version}\",service=\"#{ENV.fetch("OTEL_SERVICE_NAME", "lago-api")}\"} 1"]
    lines += queue_lines
    render plain: "#{lines.join("\n")}\n"
  end

  private

  def queue_lines
    Sidekiq::Queue.all.flat_map do |queue|
      ["sidekiq_jobs_waiting_count{queue=\"#{queue.name}\"} #{queue.size}", "sidekiq_queue_latency{queue=\"#{queue.name}\"} #{queue.latency.round(3)}"]
    end
  rescue RedisClient::Error
    ["sidekiq_redis_up 0"]
  end
end
