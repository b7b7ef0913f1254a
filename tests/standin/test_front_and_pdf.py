# SPDX-FileCopyrightText: 2026 The selfhosting.lago authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""The front end as shipped and hardened; the PDF service."""

import json
import subprocess
import urllib.error
import urllib.request

import pytest

from .conftest import FRONT, IMAGES, PDF, VERSION, Bed, eventually

READ_ONLY = ["--read-only", "--user=1000:1000", "--cap-drop=ALL", "--security-opt=no-new-privileges"]


def fetch(url, data=None):
    try:
        with urllib.request.urlopen(urllib.request.Request(url, data=data), timeout=10) as answer:
            return answer.status, answer.headers, answer.read().decode(errors="replace")
    except urllib.error.HTTPError as error:
        return error.code, error.headers, ""


@pytest.fixture(scope="module")
def own_bed(images):
    bed = Bed()
    yield bed
    bed.remove()


@pytest.fixture(scope="module")
def hardened(tmp_path_factory):
    folder = tmp_path_factory.mktemp("front")
    folder.chmod(0o755)
    (folder / "env-config.js").write_text('window._env_ = {API_URL: "given"}\n')
    (folder / "csp.conf").write_text("add_header Content-Security-Policy \"frame-ancestors 'self'\" always;\n")
    (folder / "extra.conf").write_text("add_header X-Extra yes always;\n")
    return [
        *READ_ONLY, "--tmpfs=/run:uid=1000,gid=1000", "--tmpfs=/var/cache/nginx:uid=1000,gid=1000", "--tmpfs=/tmp",
        f"--volume={folder}/env-config.js:/usr/share/nginx/html/env-config.js:ro",
        f"--volume={folder}/csp.conf:/etc/nginx/conf.d/csp.conf:ro",
        f"--volume={folder}/extra.conf:/etc/nginx/extra-conf.d/extra.conf:ro",
    ]  # fmt: skip


def common(front):
    url = front.url(80)
    eventually(lambda: fetch(url + "/"))
    assert "<title>Lago" in fetch(url + "/any/page")[2]
    assert "API keys" in fetch(url + "/api-keys.1234.js")[2]
    assert fetch(url + "/webhooks/stripe/x", b"{}")[0] == 405
    assert fetch(url + "/api/v1/events", b"{}")[0] == 405
    return url


def test_as_shipped(own_bed):
    front = own_bed.start(FRONT, options=["--env=API_URL=https://lago.example.com", "--env=LAGO_DISABLE_SIGNUP=true"])
    url = common(front)
    settings = fetch(url + "/env-config.js")[2]
    assert 'API_URL: "https://lago.example.com"' in settings
    assert 'LAGO_DISABLE_SIGNUP: "true"' in settings
    assert "*.web.app" in fetch(url + "/")[1]["Content-Security-Policy"]
    assert front.stop(10)[1] == 0


def test_hardened(own_bed, hardened):
    front = own_bed.start(FRONT, "-g", "daemon off;", options=[*hardened, "--entrypoint=nginx"])
    url = common(front)
    assert "given" in fetch(url + "/env-config.js")[2]
    headers = fetch(url + "/")[1]
    assert (headers["Content-Security-Policy"], headers["X-Extra"]) == ("frame-ancestors 'self'", "yes")
    assert front.stop(10)[1] == 0


def test_hardened_with_its_own_entrypoint(own_bed, hardened):
    front = own_bed.start(FRONT, options=hardened)
    eventually(lambda: not front.state()["Running"])
    assert front.state()["ExitCode"] == 1
    assert "env-config.js': Read-only file system" in front.logs()


def test_version_is_told(own_bed):
    done = subprocess.run(["docker", "inspect", FRONT], capture_output=True, text=True, check=True)
    assert VERSION in done.stdout
    assert (IMAGES / "lago-front/html/index.html").exists()


def pdf_service(bed, *flags):
    return bed.start(
        PDF, "gotenberg", *flags,
        options=["--read-only", "--cap-drop=ALL", "--tmpfs=/tmp", "--tmpfs=/home/gotenberg:uid=1001,gid=1001"],
    )  # fmt: skip


def convert(service):
    """The status, and how the file begins."""
    commands = """
        echo '<h1>Ünïcode</h1>' > /tmp/index.html
        curl -sS -o /tmp/out -w '%{http_code}' -F files=@/tmp/index.html http://localhost:3000/forms/chromium/convert/html
        head -c 4 /tmp/out
    """
    return service.execute("sh", "-c", commands)


def test_pdf(own_bed):
    service = pdf_service(
        own_bed, "--api-timeout=300s", "--chromium-disable-javascript=true", "--libreoffice-disable-routes=true",
        "--chromium-ignore-certificate-errors=true",
    )  # fmt: skip
    health = eventually(lambda: service.execute("curl", "-fsS", "http://localhost:3000/health"))
    assert json.loads(health)["status"] == "up"
    assert service.execute("id", "-u").strip() == "1001"
    assert convert(service) == "200%PDF"
    assert service.stop(30)[1] == 0


def test_pdf_time_limit(own_bed):
    service = pdf_service(own_bed, "--api-timeout=1ms")
    eventually(lambda: service.execute("curl", "-fsS", "http://localhost:3000/health"))
    assert convert(service).startswith("503")


def test_pdf_refuses_an_unknown_flag(own_bed):
    service = pdf_service(own_bed, "--no-such-flag=true")
    eventually(lambda: not service.state()["Running"])
    assert service.state()["ExitCode"] != 0
