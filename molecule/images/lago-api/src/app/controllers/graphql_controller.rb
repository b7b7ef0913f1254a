# SPDX-FileCopyrightText: 2026 The selfhosting.lago authors
# SPDX-License-Identifier: AGPL-3.0-or-later
class GraphqlController < ActionController::API
  rescue_from ActiveRecord::RecordNotFound do
    render json: { status: 404, error: "Not Found" }, status: 404
  end

  def execute
    variables = params[:variables]
    variables = JSON.parse(variables) if variables.is_a?(String) && variables.present?
    variables = variables.to_unsafe_h if variables.respond_to?(:to_unsafe_h)
    user = AuthToken.user(request.headers["Authorization"].to_s.split.last.to_s)
    render json: LagoSchema.execute(params[:query], variables: variables || {}, operation_name: params[:operationName],
      context: { user: user, organization: organization(user) })
  end

  private

  def organization(user)
    return unless user

    id = request.headers["x-lago-organization"].presence
    id ? user.organizations.find_by(id: id) : user.organizations.first
  end
end
