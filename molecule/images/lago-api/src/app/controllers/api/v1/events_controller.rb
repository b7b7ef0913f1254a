# SPDX-FileCopyrightText: 2026 The selfhosting.lago authors
# SPDX-License-Identifier: AGPL-3.0-or-later
module Api
  module V1
    # An event is saved first and its job enqueued then: with Redis down the row stays, the answer is 500, and the client's next try
    # is told that the value already exists.
    class EventsController < BaseController
      def create
        event, errors = save(params.require(:event))
        return invalid(errors) if errors

        EventsPostProcessJob.perform_later(event.id)
        render json: { event: present(event) }
      end

      def batch
        list = params[:events].presence
        return invalid(events: ["no_events"]) unless list.is_a?(Array)
        return invalid(events: ["too_many_events"]) if list.size > Settings.integer("LAGO_EVENTS_BATCH_MAX_LENGTH", 100)

        events, errors = save_all(list)
        return invalid(errors) if errors.any?

        events.each { |event| EventsPostProcessJob.perform_later(event.id) }
        render json: { events: events.map { |event| present(event) } }
      end

      def show
        event = Event.find_by(organization_id: current_organization.id, transaction_id: params[:transaction_id])
        return not_found("event") unless event

        render json: { event: present(event) }
      end

      private

      # All or nothing.
      def save_all(list)
        events = []
        errors = {}
        Event.transaction do
          list.each_with_index do |fields, index|
            event, error = Event.transaction(requires_new: true) { save(fields) }
            error ? errors[index] = error : events << event
          end
          raise ActiveRecord::Rollback if errors.any?
        end
        [events, errors]
      end

      def save(fields)
        event = Event.new(
          organization_id: current_organization.id,
          transaction_id: fields[:transaction_id],
          external_subscription_id: fields[:external_subscription_id],
          code: fields[:code],
          timestamp: time(fields[:timestamp]),
          precise_total_amount_cents: fields[:precise_total_amount_cents],
          properties: fields[:properties].respond_to?(:to_unsafe_h) ? fields[:properties].to_unsafe_h : {},
          metadata: { user_agent: request.user_agent, ip_address: request.remote_ip },
        )
        return [nil, event.errors.attribute_names.index_with { ["value_is_mandatory"] }] unless event.valid?

        Event.transaction(requires_new: true) { event.save! }
        [event, nil]
      rescue ActiveRecord::RecordNotUnique
        [nil, { transaction_id: ["value_already_exist"] }]
      rescue ArgumentError
        [nil, { timestamp: ["invalid_format"] }]
      end

      def time(value)
        case value
        when nil then Time.current
        when Numeric, /\A\d+(\.\d+)?\z/ then Time.zone.at(value.to_f)
        else Time.zone.parse(value) || raise(ArgumentError)
        end
      end

      def present(event)
        {
          lago_id: event.id, transaction_id: event.transaction_id, lago_customer_id: nil, lago_subscription_id: nil, code: event.code,
          external_subscription_id: event.external_subscription_id, timestamp: event.timestamp.utc.iso8601(3),
          precise_total_amount_cents: event.precise_total_amount_cents&.to_s, properties: event.properties,
          created_at: event.created_at.utc.iso8601,
        }
      end
    end
  end
end
