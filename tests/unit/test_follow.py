# SPDX-FileCopyrightText: 2026 The selfhosting.lago authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Where one inventory host of a server fails, those that need it are not touched; run by Ansible, without a server."""

import subprocess

import pytest
import yaml
from virtual_host import REPOSITORY

# Host to its wave, who goes before it on the same server, and whom of these it needs.
HOSTS = {
    "a-deps": (0, [], []),
    "a-main": (1, ["a-deps"], ["a-deps"]),
    "a-other": (2, ["a-deps", "a-main"], []),
    "b": (0, [], []),
}
# As in playbooks/setup.yml, with a change that fails in place of the products.
PLAYBOOK = """
- hosts: all
  gather_facts: false
  tasks:
    - ansible.builtin.group_by: {key: selfhosting_hosts}
- hosts: "{{ groups['selfhosting_hosts'] | selfhosting.lago.in_waves(hostvars) | join(',') }}"
  serial: "{{ groups['selfhosting_hosts'] | selfhosting.lago.wave_sizes(hostvars) }}"
  gather_facts: false
  tasks:
    - ansible.builtin.include_tasks: REPOSITORY/roles/base/tasks/follow.yml
      when: selfhosting_earlier | length > 0
    - ansible.builtin.debug: {msg: "{{ inventory_hostname }} is brought up"}
    - ansible.builtin.fail: {msg: it broke}
      when: inventory_hostname == failing
"""


@pytest.fixture
def run(tmp_path):
    def run(failing):
        hosts = {
            name: {
                "ansible_connection": "local",
                "selfhosting_wave": wave,
                "selfhosting_earlier": earlier,
                "selfhosting_waits_for": needed,
            }
            for name, (wave, earlier, needed) in HOSTS.items()
        }
        (tmp_path / "hosts.yml").write_text(yaml.safe_dump({"all": {"hosts": hosts}}))
        (tmp_path / "play.yml").write_text(PLAYBOOK.replace("REPOSITORY", str(REPOSITORY)))
        command = ["ansible-playbook", "-i", str(tmp_path / "hosts.yml"), "-e", f"failing={failing}"]
        done = subprocess.run(
            [*command, str(tmp_path / "play.yml")], cwd=REPOSITORY, capture_output=True, text=True, check=False
        )
        said = " ".join((done.stdout + done.stderr).split())
        return said, [name for name in HOSTS if f"{name} is brought up" in said]

    return run


def test_who_needs_what_failed_is_not_touched(run):
    said, brought_up = run("a-deps")
    assert brought_up == ["a-deps", "b"]
    assert "a-main: nothing was changed, because a-deps failed, and the two depend on each other." in said


def test_nothing_fails(run):
    assert run("nobody")[1] == list(HOSTS)
