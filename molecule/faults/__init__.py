# SPDX-FileCopyrightText: 2026 The selfhosting.lago authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Faults on a real server under load, as data in data/faults.yml, and what they cost, as counts in data/runs.jsonl."""
