# SPDX-FileCopyrightText: 2026 The selfhosting.lago authors
# SPDX-License-Identifier: AGPL-3.0-or-later
class ApplicationController < ActionController::API
  # Asks the database only: with Redis down it is still well. The text of the error goes out with it.
  def health
    ActiveRecord::Base.connection.execute("SELECT 1")
    version = Settings.version
    render json: { version: version, github_url: "https://github.com/getlago/lago-api/tree/#{version}", message: "Success" }
  rescue StandardError => error
    render json: { version: Settings.version, message: "Unhealthy: #{error.class}", details: error.message }, status: 500
  end

  def ready
    if Rails.configuration.x.shutting_down == true
      render json: { message: "shutting down" }, status: 503
    else
      render json: { message: "ready" }
    end
  end
end
