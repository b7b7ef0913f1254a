# SPDX-FileCopyrightText: 2026 The selfhosting.lago authors
# SPDX-License-Identifier: AGPL-3.0-or-later

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--images",
        choices=["stand-in", "public"],
        default="stand-in",
        help="test the stand-ins of this machine, or the public images themselves",
    )
