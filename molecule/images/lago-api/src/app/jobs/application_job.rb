# SPDX-FileCopyrightText: 2026 The selfhosting.lago authors
# SPDX-License-Identifier: AGPL-3.0-or-later
class ApplicationJob < ActiveJob::Base
  # The queue is chosen when the job is enqueued, by the flags of the process that enqueues it.
  def self.routed(flag, own, otherwise)
    queue_as { Settings.own_queue?(flag) ? own : otherwise }
  end

  around_perform do |job, block|
    JobLog.write(job, "started")
    block.call
    JobLog.write(job, "finished")
  end

  # One job per class and arguments at a time: the lock is taken when it is enqueued and released when it has run.
  def self.unique
    before_enqueue { |job| throw(:abort) unless job.lock }
    after_perform { |job| job.unlock }
  end

  def lock_key = "activejob_uniqueness:#{self.class.name.underscore}:#{Digest::MD5.hexdigest(arguments.to_json)}"

  def lock
    Sidekiq.redis do |redis|
      redis.call("SET", lock_key, job_id, "NX", "EX", 3600) || redis.call("GET", lock_key) == job_id
    end
  end

  def unlock = Sidekiq.redis { |redis| redis.call("DEL", lock_key) }
end
