# SPDX-FileCopyrightText: 2026 The selfhosting.lago authors
# SPDX-License-Identifier: AGPL-3.0-or-later
module AuthToken
  module_function

  def encode(user)
    JWT.encode({ sub: user.id, iss: Settings.api_url, exp: 3.hours.from_now.to_i }, ENV["SECRET_KEY_BASE"], "HS256")
  end

  def user(token)
    payload, = JWT.decode(token, ENV["SECRET_KEY_BASE"], true, algorithm: "HS256")
    User.find_by(id: payload["sub"])
  rescue JWT::DecodeError
    nil
  end
end
