#!/usr/bin/python
# SPDX-FileCopyrightText: 2026 The selfhosting.lago authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""A module that carries out nothing; for the one that an action calls by itself."""

import os
import sys

from ansible.module_utils.basic import AnsibleModule

sys.path.insert(0, os.environ["ACTING"])
import acting

NAMES = ("containers", "landmarks", "files", "secrets", "operation", "units", "order")


def main():
    module = AnsibleModule(argument_spec={name: {"type": "raw"} for name in NAMES}, supports_check_mode=True)
    module.exit_json(changed=False, **acting.asked("lago_running", module.params, None))


if __name__ == "__main__":
    main()
