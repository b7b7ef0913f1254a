# SPDX-FileCopyrightText: 2026 The selfhosting.lago authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""What tests/unit/golden holds of a product: each rendered file at its path, and a list of what belongs to whom.

A file that the server gets as the collection has it stands in the list only, with its source.
"""

from pathlib import Path

from virtual_host import REPOSITORY, VirtualHost

GOLDEN = Path(__file__).resolve().parent / "golden"
LIST = "list.txt"


def sources():
    """Content to path of the collection's files and templates."""
    directories = [*REPOSITORY.glob("roles/*/files"), *REPOSITORY.glob("roles/*/templates")]
    directories.append(REPOSITORY / "plugins/plugin_utils/files")
    files = [path for directory in directories for path in directory.rglob("*") if path.is_file()]
    return {path.read_text(): path.relative_to(REPOSITORY) for path in files if path.stat().st_size}


SOURCES = sources()


def rendered(product):
    """Path below golden/<product> to content."""
    host = VirtualHost()
    plan = host.plan(product, host.empty_server())
    contents = {file["path"]: file["content"] for file in plan.stage_files + plan.swap_files}
    return {
        LIST: listed(plan),
        **{path.lstrip("/"): text for path, text in contents.items() if text not in SOURCES},
    }


def listed(plan):
    """What belongs to whom, a line each."""
    files = {file["path"]: file for file in plan.stage_files + plan.swap_files}
    lines = [f"network {network['name']}{options(network)}" for network in plan.networks]
    lines += [f"image {image['reference']}{origin(image)}" for image in plan.images]
    lines += [f"directory {rights(entry)} {entry['path']}" for entry in plan.directories]
    lines += [f"file {rights(file)} {path}{remarks(file)}" for path, file in files.items()]
    lines += [f"gate {step.unit}" for step in plan.gates] + [f"after {step.unit}" for step in plan.after]
    lines += [f"unit {unit}" for unit in plan.all_units]
    return "".join(f"{line}\n" for line in lines)


def origin(image):
    if image["source"]:
        return " (built from {repository} {version} {directory} in {path})".format(**image["source"])
    return " (built)" if image["dockerfile"] else ""


def remarks(file):
    source = SOURCES.get(file["content"])
    return ("" if file["secret"] else " (shown)") + (f" is {source}" if source else "")


def options(network):
    return "".join(f" {option}" for option in ("internal", "ipv6") if network[option])


def rights(entry):
    return f"{entry['mode'].rjust(4, '0')} {entry['owner']}:{entry['group']}"


def stored(product):
    root = GOLDEN / product
    return {str(path.relative_to(root)): path.read_text() for path in root.rglob("*") if path.is_file()}


def write(product, files):
    root = GOLDEN / product
    for path in sorted(root.rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()
    for name, content in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)


def units(product):
    """Name to text of the stored unit files."""
    directory = GOLDEN / product / "etc" / "systemd" / "system"
    return {path.name: path.read_text() for path in sorted(directory.iterdir())}
