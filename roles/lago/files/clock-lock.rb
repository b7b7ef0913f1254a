# SPDX-FileCopyrightText: 2026 The selfhosting.lago authors
# SPDX-License-Identifier: AGPL-3.0-or-later
# Runs Lago's clock as long as this process holds a lock in Lago's database: of all clocks of one database one lives, on
# whatever server.
#
#   ruby clock-lock.rb COMMAND..
#
# It is an advisory lock of a session: it ends with the session, and so with this container, whatever happens to it.
require "pg"
require "socket"
require "uri"

$stdout.sync = true

class Lock
  # "lagoclok", as Postgres takes it: one number of 64 bits.
  KEY = 0x6c61676f636c6f6b
  # Seconds after which Postgres ends the session of a client that is not there any more, and after which this side gives
  # up one that does not answer: the first is longer, so that no other clock starts while this one lives.
  SERVER_GIVES_UP = 120
  GIVE_UP = 90
  HOLDER = <<~SQL.freeze
    SELECT a.pid, a.application_name, a.client_addr, a.backend_start
    FROM pg_locks l JOIN pg_stat_activity a USING (pid)
    WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 1 AND l.classid = #{KEY >> 32} AND l.objid = #{KEY & 0xffffffff}
    AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
  SQL

  def initialize(url, name = "lago-clock #{Socket.gethostname}")
    @name = name
    uri = URI.parse(url)
    known = PG::Connection.conndefaults.map { |option| option[:keyword] }
    query = URI.decode_www_form(uri.query.to_s).to_h.slice(*known)
    query.update("application_name" => name, "connect_timeout" => "5", "keepalives_idle" => "10", "keepalives_interval" => "5",
                 "keepalives_count" => "3", "tcp_user_timeout" => "25000")
    uri.scheme = "postgresql"
    uri.query = URI.encode_www_form(query).gsub("+", "%20")
    @url = uri.to_s
  end

  # :held, :taken by another, or :unreachable; to_s says more.
  def state
    connect unless @session
    return :held if @held && @session.exec("SELECT 1")

    @held = @session.exec("SELECT pg_try_advisory_lock(#{KEY})").getvalue(0, 0) == "t"
    @held ? :held : taken
  rescue PG::Error => error
    @session&.close rescue nil
    @session, @held, @seen = nil, false, "Postgres does not answer: #{error.message.lines.first.to_s.strip}"
    :unreachable
  end

  def to_s = @seen.to_s

  private

  def connect
    @session = PG.connect(@url)
    { idle: 60, interval: 15, count: (SERVER_GIVES_UP - 60) / 15 }.each { |name, value| @session.exec("SET tcp_keepalives_#{name} = #{value}") }
  end

  def taken
    row = @session.exec(HOLDER).first || {}
    @seen = "another clock of this database holds the lock: " +
            (row.empty? ? "unknown" : "#{row["application_name"]}, from #{row["client_addr"] || "this server"}, since #{row["backend_start"]}")
    # A session of our own from before the network failed.
    @session.exec("SELECT pg_terminate_backend(#{Integer(row["pid"])})") if row["application_name"] == @name
    :taken
  end
end

class Keeper
  INTERVAL = 1
  # Seconds to wait for a clock that is ending. Then systemd tries again, and the journal says who has the lock.
  PATIENCE = 60
  # Seconds in which a clock that has lost the lock notices.
  GRACE = 5

  def initialize(lock, command)
    @lock, @command = lock, command
  end

  def run
    %w[TERM INT].each { |signal| trap(signal) { @ending = true; Process.kill(signal, @child) if @child } }
    wait_for_lock
    exit(143) if @ending
    @child = spawn(*@command)
    watch
  end

  private

  def say(text) = puts("clock-lock: #{text}")
  def now = Process.clock_gettime(Process::CLOCK_MONOTONIC)

  def wait_for_lock
    start, said = now, nil
    until @ending || @lock.state == :held
      said = @lock.to_s.tap { |text| say(text) unless text == said }
      abort("clock-lock: #{said}") if now - start > PATIENCE
      sleep INTERVAL
    end
    # Who waited may have taken it from a clock that has not noticed yet.
    grace = now + GRACE
    sleep INTERVAL until @ending || said.nil? || now > grace
  end

  def watch
    last = now
    loop do
      _pid, status = Process.wait2(@child, Process::WNOHANG)
      exit(status.exitstatus || 128 + status.termsig) if status
      state = @ending ? :held : @lock.state
      last = now if state == :held
      stop if state == :taken || now - last > Lock::GIVE_UP
      sleep INTERVAL
    end
  end

  def stop
    say("#{@lock}; this clock ends")
    Process.kill("TERM", @child)
    Process.wait(@child)
    exit(1)
  end
end

Keeper.new(Lock.new(ENV.fetch("DATABASE_URL")), ARGV).run if $PROGRAM_NAME == __FILE__
