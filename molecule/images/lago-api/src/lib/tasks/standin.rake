# SPDX-FileCopyrightText: 2026 The selfhosting.lago authors
# SPDX-License-Identifier: AGPL-3.0-or-later
namespace :standin do
  desc "Enqueue jobs that sleep: standin:enqueue_sleep[seconds,count,queue]"
  task :enqueue_sleep, %i[seconds count queue] => :environment do |_task, args|
    Integer(args[:count] || 1).times do
      job = SleepJob.new(*[Float(args[:seconds] || 1), args[:queue]].compact)
      JobLog.write(job, "enqueued")
      job.enqueue
    end
  end

  desc "Count of the jobs per class and state, as JSON"
  task jobs: :environment do
    rows = JobLog.group(:job_class, :state).pluck(:job_class, :state, Arel.sql("count(*)"), Arel.sql("count(DISTINCT job_id)"))
    puts rows.map { |job, state, rows_, jobs| { job: job, state: state, rows: rows_, jobs: jobs } }.to_json
  end

  desc "Store a payment provider's key in the first organization, encrypted: standin:store_secret[code,secret]"
  task :store_secret, %i[code secret] => :environment do |_task, args|
    PaymentProvider.create!(organization: Organization.first!, code: args[:code], name: args[:code], secret_key: args[:secret])
  end

  desc "Decrypt and print the payment providers' keys, as JSON"
  task secrets: :environment do
    puts PaymentProvider.order(:created_at).to_h { |provider| [provider.code, provider.secret_key] }.to_json
  end
end
