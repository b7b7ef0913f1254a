# SPDX-FileCopyrightText: 2026 The selfhosting.lago authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Makes the backup program's modules importable as they import each other on a server."""

import sys
from pathlib import Path

PROGRAM = Path(__file__).resolve().parents[3] / "roles" / "backup" / "files" / "program"

sys.path.insert(0, str(PROGRAM))
