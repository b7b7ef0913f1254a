# SPDX-FileCopyrightText: 2026 The selfhosting.lago authors
# SPDX-License-Identifier: AGPL-3.0-or-later
# Closed without its key, and closed when no key is configured.
class GuardedController < ActionController::API
  def admin = guard("ADMIN_API_KEY", "X-Admin-API-Key")
  def data_api = guard("LAGO_DATA_API_BEARER_TOKEN", "X-Data-API-Key")

  private

  def guard(variable, header)
    key = ENV[variable]
    if key.present? && ActiveSupport::SecurityUtils.secure_compare(key, request.headers[header].to_s)
      render json: { message: "Success" }
    else
      render json: { status: 401, error: "Unauthorized" }, status: 401
    end
  end
end
