# SPDX-FileCopyrightText: 2026 The selfhosting.lago authors
# SPDX-License-Identifier: AGPL-3.0-or-later
module Api
  module V1
    class BillableMetricsController < BaseController
      def create
        fields = params.require(:billable_metric).permit(:name, :code, :description, :aggregation_type, :field_name)
        metric = current_organization.billable_metrics.new(fields.to_h.compact)
        return invalid(metric.errors.attribute_names.index_with { ["value_is_mandatory"] }) unless metric.valid?

        metric.save!
        render json: { billable_metric: present(metric) }
      rescue ActiveRecord::RecordNotUnique
        invalid(code: ["value_already_exist"])
      end

      def show
        metric = current_organization.billable_metrics.find_by(code: params[:code])
        return not_found("billable_metric") unless metric

        render json: { billable_metric: present(metric) }
      end

      private

      def present(metric)
        metric.attributes.slice("name", "code", "description", "aggregation_type", "field_name")
          .merge(lago_id: metric.id, created_at: metric.created_at.iso8601, recurring: false, filters: [])
      end
    end
  end
end
