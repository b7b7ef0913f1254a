# SPDX-FileCopyrightText: 2026 The selfhosting.lago authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Without a reverse proxy: the API at its port of the server."""

import pytest
import yaml
from lago_python_client.client import Client
from verify.plays import REPOSITORY


@pytest.fixture(scope="session")
def host_values() -> dict:
    return yaml.safe_load((REPOSITORY / "molecule/external-redis/host_vars/external.yml").read_text())


@pytest.fixture
def say(capsys):
    """Figures are shown also where nothing failed."""

    def show(text: str) -> None:
        with capsys.disabled():
            print(f"\n{text}")

    return show


@pytest.fixture
def password(host_values) -> str:
    return host_values["lago_redis_password"]


@pytest.fixture
def client(server, user_values, monkeypatch) -> Client:
    monkeypatch.setenv("NO_PROXY", "*")
    key = user_values["lago_migrate_environment_variable_lago_org_api_key"]
    return Client(api_key=key, api_url=f"http://{server.address}:3000")
