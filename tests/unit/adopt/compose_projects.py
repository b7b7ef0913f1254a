# SPDX-FileCopyrightText: 2026 The selfhosting.lago authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""A compose project as its containers describe themselves."""

from ansible_collections.selfhosting.lago.plugins.module_utils import compose

ENVIRONMENT = {
    "LAGO_API_URL": "https://billing.example.com/api",
    "LAGO_FRONT_URL": "https://billing.example.com",
    "DATABASE_URL": "postgresql://lago:p%40ss@db:5432/lago?search_path=public",
    "REDIS_URL": "redis://redis:6379",
    "REDIS_PASSWORD": "",
    "SECRET_KEY_BASE": "secret-key-base-of-the-project",
    "LAGO_RSA_PRIVATE_KEY": "",
    "LAGO_ENCRYPTION_PRIMARY_KEY": "primary-of-the-project",
    "LAGO_ENCRYPTION_DETERMINISTIC_KEY": "deterministic-of-the-project",
    "LAGO_ENCRYPTION_KEY_DERIVATION_SALT": "salt-of-the-project",
    "LAGO_USE_AWS_S3": "false",
    "LAGO_AWS_S3_ACCESS_KEY_ID": "azerty123456",
    "LAGO_LICENSE": "",
}


def inspected(service, image, command, environment=(), **further):
    """As `docker inspect` says it."""
    name = further.get("name") or f"lago-{service}"
    return {
        "Name": f"/{name}",
        "Image": "sha256:1",
        "Path": command.split()[0],
        "Args": command.split()[1:],
        "State": {"Running": further.get("running", True)},
        "HostConfig": {"RestartPolicy": {"Name": "unless-stopped"}},
        "Mounts": further.get("mounts", []),
        "Config": {
            "Image": image,
            "Env": [f"{key}={value}" for key, value in dict(environment).items()] + ["PATH=/bin"],
            "Labels": {"com.docker.compose.service": service, "com.docker.compose.oneoff": "False"},
        },
        "NetworkSettings": {"Networks": {"lago_default": {"Aliases": [service, name], "IPAddress": "172.18.0.2"}}},
    }


def project_of(containers, **further):
    image = {"Config": {"Env": ["PATH=/bin"]}}
    described = {one["Name"].lstrip("/"): compose.described(one, image) for one in containers}
    return {
        "directory": "/opt/lago",
        "exists": True,
        "names": ["lago"],
        "containers": described,
        "processes": compose.processes(described),
        "environment_file": {},
        "rsa_key": "-----BEGIN RSA PRIVATE KEY-----\nkey\n-----END RSA PRIVATE KEY-----\n",
        "postgres": {"version": "15.0", "bytes": 10_000_000, "extensions": ["plpgsql"]},
        "storage": {"path": "/var/lib/docker/volumes/lago_storage/_data", "bytes": 1_000_000, "files": 3},
        "free": 10**12,
        "record": {},
        "installed": False,
        **further,
    }


def containers_of(environment=None, version="v1.51.0"):
    environment = {**ENVIRONMENT, **(environment or {})}
    backend = f"getlago/api:{version}"
    volume = {"Type": "volume", "Name": "lago_storage", "Source": "/volumes/storage", "Destination": "/app/storage"}
    return [
        inspected("db", "getlago/postgres-partman:15.0-alpine", "docker-entrypoint.sh postgres"),
        inspected("redis", "redis:7-alpine", "docker-entrypoint.sh --port 6379"),
        inspected("api", backend, "./scripts/start.api.sh", environment, mounts=[volume]),
        inspected("api-worker", backend, "./scripts/start.worker.sh", environment),
        inspected("api-clock", backend, "./scripts/start.clock.sh", environment),
        inspected("migrate", backend, "./scripts/migrate.sh", environment, running=False),
        inspected("front", f"getlago/front:{version}", "/bin/bash -c ./entrypoint.sh"),
        inspected("pdf", "getlago/lago-gotenberg:8.15", "/usr/bin/tini gotenberg"),
    ]
