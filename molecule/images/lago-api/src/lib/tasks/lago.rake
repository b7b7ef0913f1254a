# SPDX-FileCopyrightText: 2026 The selfhosting.lago authors
# SPDX-License-Identifier: AGPL-3.0-or-later
namespace :lago do
  desc "The version of this image"
  task(:version) { puts Settings.version }

  desc "What this process makes of its environment"
  task diagnostics: :environment do
    puts JSON.pretty_generate(
      version: Settings.version, environment: Rails.env, api_url: Settings.api_url, front_url: Settings.front_url,
      signup_disabled: Settings.signup_disabled?, clickhouse: Settings.clickhouse?, shared_cache: Settings.shared_cache?,
      assume_ssl: Rails.configuration.assume_ssl, storage: Rails.configuration.active_storage.service,
      database: (ActiveRecord::Base.connection.select_value("SHOW server_version") rescue "unreachable"),
      pending_migrations: (ActiveRecord::Base.connection_pool.migration_context.needs_migration? rescue nil),
      redis: Liveness.alive?, roles: (Role.count rescue nil),
    )
  end
end

namespace :roles do
  desc "Create the roles that sign-up needs"
  task seed_predefined: :environment do
    Role::PREDEFINED.each { |name| Role.find_or_create_by!(name: name) { |role| role.admin = name == "admin" } }
  end
end

namespace :signup do
  desc "Create the first organization from LAGO_ORG_*"
  task seed_organization: :environment do
    next unless Settings.create_organization?

    email, password, name = %w[EMAIL PASSWORD].map { |part| ENV["LAGO_ORG_USER_#{part}"] } << ENV["LAGO_ORG_NAME"]
    raise "LAGO_ORG_USER_EMAIL, LAGO_ORG_USER_PASSWORD and LAGO_ORG_NAME are required" if [email, password, name].any?(&:blank?)

    ApplicationRecord.transaction do
      user = User.find_or_create_by!(email: email) { |new_user| new_user.password = password }
      organization = Organization.find_or_create_by!(name: name)
      role = Role.find_or_create_by!(admin: true) { |new_role| new_role.name = "admin" }
      Membership.find_or_create_by!(user: user, organization: organization) { |membership| membership.role = role }
      if ENV["LAGO_ORG_API_KEY"].present?
        ApiKey.find_or_create_by!(organization: organization, value: ENV["LAGO_ORG_API_KEY"])
      elsif organization.api_keys.none?
        organization.api_keys.create!
      end
    end
  end
end

namespace :upgrade do
  desc "Enqueue what the upgrade left to do, and wait for it: for ever while no worker runs"
  task perform_required_jobs: :environment do
    pending = -> { Organization.column_names.include?("filter_code") ? Organization.where(filter_code: nil) : Organization.none }
    pending.call.pluck(:id).each { |id| FillFilterCodeJob.perform_later(id) }
    loop do
      sleep Float(ENV.fetch("STANDIN_UPGRADE_CHECK_SECONDS", 10))
      break if pending.call.none?

      puts "still to do: #{pending.call.count}"
    end
    puts "upgrade jobs done"
  end
end
