# SPDX-FileCopyrightText: 2026 The selfhosting.lago authors
# SPDX-License-Identifier: AGPL-3.0-or-later
# One row per state (enqueued, started, finished, failed) of a job: what a test counts to see whether one was lost or ran twice.
class JobLog < ApplicationRecord
  self.table_name = "jobs_log"

  def self.write(job, state)
    create!(job_id: job.job_id, job_class: job.class.name, queue: job.queue_name, state: state,
      host: Socket.gethostname, pid: Process.pid)
  end
end
