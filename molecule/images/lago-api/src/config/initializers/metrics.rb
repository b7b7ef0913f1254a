# SPDX-FileCopyrightText: 2026 The selfhosting.lago authors
# SPDX-License-Identifier: AGPL-3.0-or-later
# Lago's metrics live in files, so a read-only root needs a writable /tmp.
require "fileutils"
FileUtils.mkdir_p("/tmp/prometheus")
File.write("/tmp/prometheus/process-#{Process.pid}", "boot_seconds #{Process.clock_gettime(Process::CLOCK_PROCESS_CPUTIME_ID)}\n")
