#!/usr/bin/python
# SPDX-FileCopyrightText: 2026 The selfhosting.lago authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""A module that carries out nothing; for those that an action calls by itself."""

import os
import sys

from ansible.module_utils.basic import AnsibleModule

sys.path.insert(0, os.environ["ACTING"])
import acting

NAME = "compose_project"
TAKES = {
    "compose_project": ("directory", "target_path", "record_path", "unit"),
    "lago_keys": ("container", "environment", "environment_path", "candidates"),
    "server_files": ("files", "lease"),
}
SECRET = ("environment", "candidates")


def main():
    options = {name: {"type": "raw", "no_log": name in SECRET} for name in TAKES[NAME]}
    module = AnsibleModule(argument_spec=options, supports_check_mode=True)
    module.exit_json(changed=False, **acting.asked(NAME, module.params, None))


if __name__ == "__main__":
    main()
