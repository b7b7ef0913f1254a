# SPDX-FileCopyrightText: 2026 The selfhosting.lago authors
# SPDX-License-Identifier: AGPL-3.0-or-later
module Api
  module V1
    class BaseController < ActionController::API
      before_action :authenticate

      rescue_from ActionController::ParameterMissing do
        render json: { status: 400, error: "Bad Request" }, status: 400
      end

      private

      attr_reader :current_organization

      def authenticate
        key = request.headers["Authorization"].to_s.split.last.presence
        id = key && Rails.cache.fetch("api-key/#{Digest::SHA256.hexdigest(key)}", expires_in: 10.seconds, skip_nil: true) do
          ApiKey.find_by(value: key)&.organization_id
        end
        @current_organization = id && Organization.find_by(id: id)
        render json: { status: 401, error: "Unauthorized" }, status: 401 unless @current_organization
      end

      def not_found(resource)
        render json: { status: 404, error: "Not Found", code: "#{resource}_not_found" }, status: 404
      end

      def invalid(details)
        render json: { status: 422, error: "Unprocessable Entity", code: "validation_errors", error_details: details }, status: 422
      end
    end
  end
end
