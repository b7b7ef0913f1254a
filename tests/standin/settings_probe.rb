# SPDX-FileCopyrightText: 2026 The selfhosting.lago authors
# SPDX-License-Identifier: AGPL-3.0-or-later
# Runs in the image: rows of environment.yml as JSON on standard input, the answers as JSON on standard output.
require "json"
require "openssl"
require "/app/config/settings"

base = ENV.to_h
answers = JSON.parse($stdin.read).map do |row|
  ENV.replace(base.merge(row["env"]))
  answer = Settings.public_send(*row.values_at("ask", "of").compact)
  row["part"] ? answer[row["part"].to_sym] : answer
rescue StandardError => error
  error.full_message
end
puts JSON.generate(answers)
