# SPDX-FileCopyrightText: 2026 The selfhosting.lago authors
# SPDX-License-Identifier: AGPL-3.0-or-later
# Enqueues jobs that sleep: seconds, count, queue. The queue's program alone, as Rails takes many times as long to boot.
require "securerandom"
require "sidekiq"

seconds, count, queue = ARGV
Integer(count).times do
  job = {
    job_class: "SleepJob", job_id: SecureRandom.uuid, queue_name: queue, arguments: [Float(seconds), queue],
    executions: 0, exception_executions: {}, locale: "en", timezone: "UTC"
  }
  Sidekiq::Client.push(
    "class" => "ActiveJob::QueueAdapters::SidekiqAdapter::JobWrapper", "wrapped" => "SleepJob", "queue" => queue,
    "args" => [job.transform_keys(&:to_s)]
  )
end
