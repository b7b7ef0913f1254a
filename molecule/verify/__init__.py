# SPDX-FileCopyrightText: 2026 The selfhosting.lago authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""What the tests of all scenarios ask of a server: from outside, from inside, and by running the playbook."""
