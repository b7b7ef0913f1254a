# SPDX-FileCopyrightText: 2026 The selfhosting.lago authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""An upgrade gives the new image to each unit that has Postgres' image, and none keeps the old one."""

import json
from pathlib import Path

from major_upgrade import image_of

GOLDEN = Path(__file__).resolve().parents[1] / "golden"


def test_an_upgrade_knows_every_unit_with_the_image():
    image = image_of(GOLDEN / "postgres/etc/systemd/system/mash-postgres.service")
    # Those of other products as well.
    units = GOLDEN.glob("*/etc/systemd/system/*.service")
    having = {f"/etc/systemd/system/{path.name}" for path in units if f"\nImage={image}\n" in path.read_text()}
    known = json.loads((GOLDEN / "postgres/mash/postgres/program.json").read_text())["unit_files"]
    assert having == set(known)
