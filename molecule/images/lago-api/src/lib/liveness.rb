# SPDX-FileCopyrightText: 2026 The selfhosting.lago authors
# SPDX-License-Identifier: AGPL-3.0-or-later
require "socket"

# Answers any request on port 8080: 200 when Redis answers a PING, else 404. It says nothing about jobs: a worker that was told to be
# quiet, or one that hangs, looks well.
module Liveness
  module_function

  def start
    server = TCPServer.new("0.0.0.0", 8080)
    Thread.new do
      loop { Thread.new(server.accept) { |client| answer(client) } }
    end
  end

  def answer(client)
    client.timeout = 5
    while (line = client.gets) && line != "\r\n"; end
    status, body = alive? ? ["200 OK", "Live!"] : ["404 Not Found", "Sidekiq is not alive"]
    client.write("HTTP/1.1 #{status}\r\nContent-Type: text/plain\r\nContent-Length: #{body.bytesize}\r\nConnection: close\r\n\r\n#{body}")
  rescue IOError, SystemCallError
    nil
  ensure
    client.close
  end

  def alive?
    Sidekiq.redis { |redis| redis.call("PING") } == "PONG"
  rescue StandardError
    false
  end
end
