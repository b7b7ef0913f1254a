# SPDX-FileCopyrightText: 2026 The selfhosting.lago authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""States of units as engine.unit_states tells them, and places in the order."""

UP = {"active": True, "enabled": True, "loaded": True, "stale": [], "state": "active/running", "needs_reload": False}
DOWN = {**UP, "active": False, "state": "failed/failed"}
# A start that began before the last change, as of a container that ends again and again for a wrong value.
OVERTAKEN = {**DOWN, "state": "activating/start-post", "overtaken": True}
STALE = {**UP, "stale": ["/mash/env changed"]}
OFF = {**UP, "enabled": False}

CLOCK, WORKER, API = {"stop_rank": 2}, {"stop_rank": 1}, {"pool": "api"}
