# shellcheck shell=sh
# SPDX-FileCopyrightText: 2026 The selfhosting.lago authors
# SPDX-License-Identifier: AGPL-3.0-or-later
#
# Makes the Python environment .venv with exactly what a lock file lists. Sourced by the programs in
# bin/ from the top of the clone. Anything that changes the machine is said in one line before.

say() {
  printf '%s\n' "$*" >&2
}

fail() {
  say "$*"
  exit 1
}

# Debian packages that are not there yet, on one line.
missing_packages() {
  for package in "$@"; do
    if [ "$(dpkg-query --show --showformat '${db:Status-Status}' "$package" 2>/dev/null)" != installed ]; then
      printf '%s ' "$package"
    fi
  done
}

install_packages() {
  command -v apt-get >/dev/null || return 0
  missing=$(missing_packages "$@")
  [ -n "$missing" ] || return 0
  if [ "$(id -u)" -ne 0 ]; then
    fail "These packages are missing: $missing. Run as root: apt-get install $missing"
  fi
  say "Installing with apt: $missing"
  # shellcheck disable=SC2086 # a list of package names
  { apt-get --quiet update && DEBIAN_FRONTEND=noninteractive apt-get --quiet --yes install \
    --no-install-recommends $missing; } </dev/null >"$state/apt.log" 2>&1 ||
    { tail -n 20 "$state/apt.log" >&2; fail "apt-get failed, see above and $state/apt.log"; }
}

# True when .venv was made from a lock file as it is now.
environment_is_of() {
  [ -x .venv/bin/python ] && [ "$(cat .venv/made-from 2>/dev/null)" = "$(sha256sum "$1")" ]
}

make_environment() {
  say "Making .venv from $1"
  python3 -m venv --clear .venv || fail "python3 -m venv failed, see above"
  .venv/bin/pip install --quiet --disable-pip-version-check --no-input --require-hashes \
    --requirement "$1" </dev/null >"$state/pip.log" 2>&1 ||
    { tail -n 20 "$state/pip.log" >&2; fail "pip failed, see above and $state/pip.log"; }
  sha256sum "$1" >.venv/made-from
}

# prepare_environment            what installing Lago needs
# prepare_environment development   what the tests need, too
prepare_environment() {
  state=${STATE_DIRECTORY:-.state}
  mkdir -p "$state"
  if [ "${1:-}" = development ]; then
    # reuse wants libmagic, whose package is named differently in each release: `file` brings it.
    # Tests ask systemd-analyze about the units, and encrypt settings with age.
    install_packages age ca-certificates file git openssh-client python3 python3-venv systemd
    environment_is_of requirements-dev.lock || make_environment requirements-dev.lock
  else
    install_packages ca-certificates git openssh-client python3 python3-venv
    # The development lock holds all of the other one.
    environment_is_of requirements.lock || environment_is_of requirements-dev.lock ||
      make_environment requirements.lock
  fi
  PATH=$PWD/.venv/bin:$PATH
  export PATH
}
