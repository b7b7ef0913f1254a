# SPDX-FileCopyrightText: 2026 The selfhosting.lago authors
# SPDX-License-Identifier: AGPL-3.0-or-later
# The only encrypted column of Lago: without the three encryption keys the first use of it raises.
module SecretsStorable
  extend ActiveSupport::Concern

  included { encrypts :secrets }

  def secret_key = JSON.parse(secrets || "{}")["secret_key"]
  def secret_key=(value)
    self.secrets = { secret_key: value }.to_json
  end
end
