# SPDX-FileCopyrightText: 2026 The selfhosting.lago authors
# SPDX-License-Identifier: AGPL-3.0-or-later
# New user with an organization. Raises when the roles were never seeded, which the API answers with 404, as Lago does.
module Registration
  module_function

  def create(email:, password:, organization_name:)
    ApplicationRecord.transaction do
      user = User.create!(email: email, password: password)
      organization = Organization.create!(name: organization_name, email: email)
      organization.api_keys.create!
      membership = Membership.create!(user: user, organization: organization, role: Role.admins.first!)
      [user, organization, membership]
    end
  end
end
