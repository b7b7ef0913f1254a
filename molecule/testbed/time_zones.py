# SPDX-FileCopyrightText: 2026 The selfhosting.lago authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Time zones in which nothing waits for the minutes that Lago's clock must not miss.

In the 280 s before minutes 10 and 20 of the clock's zone a run may wait before it restarts the clock: right for users,
and minutes for a test.
"""

from __future__ import annotations

import datetime
import json

# Two zones with the same minutes for each half of an hour: to change from one to the other changes no minute.
ZONES = {"full hours": ("UTC", "Europe/Berlin"), "half hours": ("Asia/Kolkata", "Asia/Colombo")}


def calm_zones(minute: int) -> tuple[str, str]:
    """Those in which it is minute 21 to 50 of the hour: nothing waits for a quarter of an hour at least."""
    return ZONES["full hours" if 20 < minute <= 50 else "half hours"]


if __name__ == "__main__":
    print(json.dumps(calm_zones(datetime.datetime.now(datetime.UTC).minute)))
