# SPDX-FileCopyrightText: 2026 The selfhosting.lago authors
# SPDX-License-Identifier: AGPL-3.0-or-later
# Lists uniqueness locks without a job: a worker that was killed leaves them, and until they expire, hours later, the same
# job is refused without a word. Run by `rails runner`, as only Lago knows the lock of a job.
#
#   locks.rb [remove]
Sidekiq.default_configuration.logger.level = Logger::WARN

PREFIX = "activejob_uniqueness:"
# A job that was just taken off its queue is in none of Sidekiq's lists for up to 10 s (its heartbeat).
LOOK_AGAIN_AFTER = Float(ENV.fetch("LOCKS_LOOK_AGAIN_AFTER", 15))
AT_ONCE = 1000
DELETE = "if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end return 0"

# Key to value.
def locks(redis)
  redis.scan("MATCH", "#{PREFIX}*", "COUNT", AT_ONCE).to_h { |key| [key, redis.call("GET", key)] }.compact
end

# Payloads of all jobs that wait, come later, or are worked on.
def payloads(redis, &block)
  redis.sscan("queues") do |name|
    length = redis.call("LLEN", "queue:#{name}")
    # From the end that workers take from: what is added meanwhile shifts nothing there.
    (1..length).step(AT_ONCE) { |start| redis.call("LRANGE", "queue:#{name}", -start - AT_ONCE + 1, -start).each(&block) }
  end
  %w[schedule retry].each { |set| redis.zscan(set) { |job, _at| block.call(job) } }
  redis.sscan("processes") { |process| redis.call("HVALS", "#{process}:work").each { |work| block.call(JSON.parse(work)["payload"]) } }
end

# Keys of the locks that jobs hold, and classes of jobs whose key cannot be told.
def held(redis, classes)
  keys, unclear = Set.new, Set.new
  payloads(redis) do |payload|
    data = (payload.is_a?(String) ? JSON.parse(payload) : payload)["args"]&.first
    name = data["job_class"].underscore if data.is_a?(Hash) && data["job_class"]
    next unless classes.include?(name)

    begin
      job = ActiveJob::Base.deserialize(data)
      job.send(:deserialize_arguments_if_needed)
      keys << job.lock_key
      keys << job.runtime_lock_key if job.respond_to?(:runtime_lock_key)
    rescue StandardError
      unclear << name
    end
  end
  [keys, unclear]
end

def class_of(key) = key.delete_prefix(PREFIX).split(":").first

def without_job
  Sidekiq.redis do |redis|
    found = locks(redis)
    keys, unclear = held(redis, found.keys.to_set { |key| class_of(key) })
    found.reject { |key, _value| keys.include?(key) || unclear.include?(class_of(key)) }
  end
end

def remaining(milliseconds) = milliseconds.negative? ? "never" : "in #{milliseconds / 60_000} minutes"

left = without_job
unless left.empty?
  sleep LOOK_AGAIN_AFTER
  again = without_job
  # The same lock, not one of the same name that was taken meanwhile.
  left = left.select { |key, value| again[key] == value }
end
Sidekiq.redis do |redis|
  left.sort.each do |key, value|
    expires = remaining(redis.call("PTTL", key))
    if ARGV.first == "remove"
      puts "removed the lock #{key}" if redis.call("EVAL", DELETE, 1, key, value) == 1
    else
      puts "lock without a job: #{key} (expires #{expires})"
    end
  end
  puts "#{locks(redis).size} locks, without a job: #{ARGV.first == "remove" ? 0 : left.size}"
end
