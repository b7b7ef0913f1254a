# SPDX-FileCopyrightText: 2026 The selfhosting.lago authors
# SPDX-License-Identifier: AGPL-3.0-or-later
# Asked at the boot of every process, nothing is rescued: no way out to the network, no boot.
if Settings.present?("LAGO_LICENSE")
  require "net/http"
  answer = Net::HTTP.get(URI("https://license.getlago.com/verify/#{ENV["LAGO_LICENSE"]}"))
  Rails.configuration.x.premium = JSON.parse(answer)["valid"]
end
