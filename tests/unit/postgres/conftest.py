# SPDX-FileCopyrightText: 2026 The selfhosting.lago authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Makes the modules of Postgres' program importable as they import each other on a server, the backup's among them."""

import sys
from pathlib import Path

ROLES = Path(__file__).resolve().parents[3] / "roles"

for role in ("backup", "postgres"):
    directory = str(ROLES / role / "files" / "program")
    if directory not in sys.path:
        sys.path.append(directory)
