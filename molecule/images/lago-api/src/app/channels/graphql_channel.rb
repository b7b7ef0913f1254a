# SPDX-FileCopyrightText: 2026 The selfhosting.lago authors
# SPDX-License-Identifier: AGPL-3.0-or-later
# What is sent comes back by way of Redis: a test sees that the cable's own URL and password work.
class GraphqlChannel < ActionCable::Channel::Base
  def subscribed
    stream_from "graphql"
  end

  def execute(data)
    ActionCable.server.broadcast("graphql", { echo: data["query"] })
  end
end
