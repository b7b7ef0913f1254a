# SPDX-FileCopyrightText: 2026 The selfhosting.lago authors
# SPDX-License-Identifier: AGPL-3.0-or-later
class Invoice < ApplicationRecord
  belongs_to :organization
  has_one_attached :file

  # A path below LAGO_API_URL, whatever that ends with.
  def file_url
    return unless file.attached?

    File.join(Settings.api_url, Rails.application.routes.url_helpers.rails_blob_path(file, host: "void", disposition: "attachment"))
  end
end
