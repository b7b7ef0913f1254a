# SPDX-FileCopyrightText: 2026 The selfhosting.lago authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Containers for the tests of the stand-in images: a network of their own, nothing published, all removed by id."""

import base64
import functools
import json
import os
import subprocess
import time
import urllib.request
import uuid
from pathlib import Path
from types import SimpleNamespace

import pytest

REPOSITORY = Path(__file__).parents[2]
IMAGES = REPOSITORY / "molecule/images"
HERE = Path(__file__).parent
VERSION = "v1.52.1"
# Names of their own: what the test bed runs on is not replaced under its feet.
NAMES = os.environ.get("STANDIN_IMAGES", "selfhosting-test/standin")
API, PDF, FRONT, SERVICES = f"{NAMES}-api", f"{NAMES}-pdf", f"{NAMES}-front:{VERSION}", f"{NAMES}-services"
VERSIONS = [VERSION, "v1.51.0", "v1.53.0", "v1.53.0-broken", "v1.53.0-slow"]
HARDENED = [
    "--user=1000:1000", "--read-only", "--cap-drop=ALL", "--security-opt=no-new-privileges", "--tmpfs=/tmp",
    "--tmpfs=/app/tmp:uid=1000,gid=1000", "--tmpfs=/app/log:uid=1000,gid=1000",
]  # fmt: skip
FIRST_ORGANIZATION = {
    "LAGO_CREATE_ORG": "true",
    "LAGO_ORG_USER_EMAIL": "first@example.com",
    "LAGO_ORG_USER_PASSWORD": "correct horse",
    "LAGO_ORG_NAME": "First",
    "LAGO_ORG_API_KEY": "key-of-the-first",
}


def docker(*arguments, check=True, **options):
    done = subprocess.run(["docker", *arguments], capture_output=True, text=True, **options)
    if check and done.returncode:
        raise AssertionError(f"docker {' '.join(arguments[:4])}: {done.stdout}{done.stderr}")
    return done


def eventually(function, seconds=60, every=0.4):
    """The first true answer; errors count as no answer."""
    end, error = time.monotonic() + seconds, None
    while time.monotonic() < end:
        try:
            if answer := function():
                return answer
        except (OSError, AssertionError, ValueError) as caught:
            error = caught
        time.sleep(every)
    raise AssertionError(f"not within {seconds} s") from error


class Container:
    def __init__(self, bed, container_id):
        self.bed, self.id = bed, container_id

    def state(self):
        return json.loads(docker("inspect", "--format={{json .State}}", self.id).stdout)

    @functools.cached_property
    def address(self):
        form = "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}"
        return docker("inspect", f"--format={form}", self.id).stdout.strip()

    def url(self, port):
        return f"http://{self.address}:{port}"

    def logs(self):
        done = docker("logs", self.id)
        return done.stdout + done.stderr

    def execute(self, *command, **options):
        return docker("exec", self.id, *command, **options).stdout

    def kill(self, signal):
        docker("kill", f"--signal={signal}", self.id)

    def stop(self, limit=35):
        """Seconds it took, and the exit code: 137 if it did not end within the limit."""
        start = time.monotonic()
        docker("stop", f"--time={limit}", self.id)
        return time.monotonic() - start, self.state()["ExitCode"]


class Bed:
    def __init__(self):
        self.ids = []
        self.network = docker("network", "create", f"standin-{uuid.uuid4()}").stdout.strip()
        self.volume = docker("volume", "create").stdout.strip()

    def start(self, image, *command, alias=None, options=()):
        names = [f"--network-alias={alias}"] if alias else []
        network = [] if any(option.startswith("--network=") for option in options) else [f"--network={self.network}"]
        container_id = docker("create", *network, *names, *options, image, *command).stdout.strip()
        self.ids.append(container_id)
        docker("start", container_id)
        return Container(self, container_id)

    def remove(self):
        if self.ids:
            docker("rm", "--force", "--volumes", *self.ids, check=False)
        docker("network", "rm", self.network, check=False)
        docker("volume", "rm", self.volume, check=False)

    # Lago's processes
    def environment(self, changes):
        values = self.defaults | changes
        return [part for name, value in values.items() if value is not None for part in ("--env", f"{name}={value}")]

    def options(self, changes):
        return [*HARDENED, f"--volume={self.volume}:/app/storage", *self.environment(changes)]

    def lago(self, *command, version=VERSION, alias=None, **changes):
        return self.start(f"{API}:{version}", *command, alias=alias, options=self.options(changes))

    def run(self, *command, version=VERSION, options=None, **changes):
        """One command in a new container: its exit code and what it says."""
        options = self.options(changes) if options is None else [*options, *self.environment(changes)]
        network = [] if any(option.startswith("--network=") for option in options) else [f"--network={self.network}"]
        done = docker("run", "--rm", *network, *options, f"{API}:{version}", *command, check=False)
        return SimpleNamespace(code=done.returncode, says=done.stdout + done.stderr)

    # What they stand on
    def sql(self, statement, database="lago", user="lago"):
        text = self.postgres.execute(
            "psql", "-h", "/tmp", "-U", user, "-AtqX", "-v", "ON_ERROR_STOP=1", "-c", statement, database
        )
        return text.strip()

    def database(self, name):
        """A new database, owned by a role that may not create one."""
        self.sql(f"CREATE DATABASE {name} OWNER lago", "postgres", "postgres")
        return f"postgresql://lago@postgres:5432/{name}"

    def redis(self, *command):
        return self.valkey.execute("valkey-cli", "--no-auth-warning", "-a", "pw", *command).strip()

    def ready(self, container, port, path="/health", seconds=120):
        eventually(lambda: urllib.request.urlopen(container.url(port) + path, timeout=5).status == 200, seconds)
        return container


def build(context, tag, *arguments):
    docker(
        "build", "--quiet", f"--tag={tag}", *arguments, str(context),
        env=os.environ | {"DOCKER_BUILDKIT": "0"},
    )  # fmt: skip


@pytest.fixture(scope="session")
def images():
    """Built from the tree, so that a test never sees an old image; with Docker's cache it takes a second."""
    for version in VERSIONS:
        build(IMAGES / "lago-api", f"{API}:{version}", f"--build-arg=LAGO_VERSION={version}")
    build(IMAGES / "lago-front", FRONT, f"--build-arg=LAGO_VERSION={VERSION}")
    build(IMAGES / "lago-gotenberg", PDF)
    build(HERE / "services", SERVICES)


@pytest.fixture(scope="session")
def empty_bed(images):
    bed = Bed()
    try:
        bed.postgres = bed.start(SERVICES, alias="postgres")
        bed.valkey = bed.start(
            SERVICES, "valkey-server", "--requirepass", "pw", "--save", "", "--dir", "/tmp", alias="valkey"
        )
        pem = subprocess.run(["openssl", "genrsa", "2048"], capture_output=True, check=True).stdout
        bed.defaults = {
            "RAILS_ENV": "production",
            "RAILS_LOG_TO_STDOUT": "true",
            "DATABASE_URL": "postgresql://lago@postgres:5432/lago",
            "REDIS_URL": "redis://valkey:6379/0",
            "REDIS_PASSWORD": "pw",
            "LAGO_REDIS_SIDEKIQ_RETRY_WINDOW_SECONDS": "1",
            "LAGO_REDIS_CACHE_URL": "redis://valkey:6379/1",
            "LAGO_REDIS_CACHE_PASSWORD": "pw",
            "LAGO_REDIS_CABLE_URL": "redis://:pw@valkey:6379/2",
            "SECRET_KEY_BASE": "0" * 64,
            "LAGO_RSA_PRIVATE_KEY": base64.b64encode(pem).decode(),
            "LAGO_ENCRYPTION_PRIMARY_KEY": "1" * 32,
            "LAGO_ENCRYPTION_DETERMINISTIC_KEY": "2" * 32,
            "LAGO_ENCRYPTION_KEY_DERIVATION_SALT": "3" * 32,
            "LAGO_API_URL": "https://lago.example.com/api",
            "LAGO_FRONT_URL": "https://lago.example.com",
            "LAGO_PDF_URL": "http://pdf:3000",
            "HOME": "/tmp",
            "STANDIN_TICK_SECONDS": "2",
        }
        eventually(lambda: bed.sql("SELECT 1", "postgres", "postgres"))
        bed.sql("CREATE ROLE lago LOGIN", "postgres", "postgres")
        # An empty volume takes the owner of the image's directory at every mount, so something is put into it.
        own = "touch /app/storage/.keep; chown -R 1000:1000 /app/storage"
        docker("run", "--rm", f"--volume={bed.volume}:/app/storage", f"{API}:{VERSION}", "sh", "-c", own)
        yield bed
    finally:
        bed.remove()


@pytest.fixture(scope="session")
def bed(empty_bed):
    """Lago, migrated and running."""
    bed = empty_bed
    bed.database("lago")
    bed.migration = bed.run("./scripts/migrate.sh", **FIRST_ORGANIZATION)
    assert bed.migration.code == 0, bed.migration.says
    bed.pdf = bed.start(
        PDF, "gotenberg", "--api-timeout=300s", "--chromium-disable-javascript=true",
        "--libreoffice-disable-routes=true", "--chromium-ignore-certificate-errors=true", alias="pdf",
        options=["--read-only", "--cap-drop=ALL", "--tmpfs=/tmp", "--tmpfs=/home/gotenberg:uid=1001,gid=1001"],
    )  # fmt: skip
    bed.api = bed.lago("./scripts/start.api.sh")
    bed.closed = bed.lago(
        "./scripts/start.api.sh", LAGO_DISABLE_SIGNUP="true", LAGO_SIDEKIQ_WEB="true", LAGO_KARAFKA_WEB="",
        SIDEKIQ_PDFS="true", ADMIN_API_KEY="admin-key", LAGO_DISABLE_SSL="true", WEB_CONCURRENCY="1",
        LAGO_REDIS_CABLE_URL="redis://valkey:6379/2", STANDIN_BOOT_SECONDS="4", LAGO_EVENTS_BATCH_MAX_LENGTH="2",
    )  # fmt: skip
    bed.worker = bed.lago("./scripts/start.worker.sh")
    bed.clock = bed.lago("./scripts/start.clock.sh")
    bed.ready(bed.api, 3000)
    bed.ready(bed.worker, 8080, "/")
    bed.ready(bed.closed, 3000)
    return bed
