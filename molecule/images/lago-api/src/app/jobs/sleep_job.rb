# SPDX-FileCopyrightText: 2026 The selfhosting.lago authors
# SPDX-License-Identifier: AGPL-3.0-or-later
# Long work, for the tests of stop and drain.
class SleepJob < ApplicationJob
  queue_as { arguments.second || :default }

  def perform(seconds, _queue = nil)
    sleep seconds
  end
end
