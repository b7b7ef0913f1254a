#!/usr/bin/python
# SPDX-FileCopyrightText: 2026 The selfhosting.lago authors
# SPDX-License-Identifier: AGPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: lago_running
short_description: Which Lago really runs, and what its database says of itself
description:
  - Asks the containers for their images, and the database through one of them, with that container's own connection.
    Nothing is changed.
options:
  containers:
    description: Names of containers that share Lago's image; the first that runs is asked for the database.
    type: list
    elements: str
    required: true
  landmarks:
    description: Migrations that say how new a database is.
    type: list
    elements: str
    default: []
author: The selfhosting.lago authors
"""

EXAMPLES = r"""
- name: See which Lago runs
  selfhosting.lago.lago_running:
    containers: [mash-lago-api, mash-lago-api-worker]
"""

RETURN = r"""
images:
  description: Of each container that runs, the reference of its image as Docker knows it.
  returned: always
  type: dict
image_ids:
  description: Of each container that runs, the id of its image.
  returned: always
  type: dict
schema:
  description: Version of the newest migration; empty where nobody could be asked.
  returned: always
  type: str
landmarks:
  description: Those of O(landmarks) that have run.
  returned: always
  type: list
invalid_indexes:
  description: Indexes that CREATE INDEX CONCURRENTLY began and did not finish.
  returned: always
  type: list
"""

import json

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.selfhosting.lago.plugins.module_utils.engine import Docker, EngineError, run

# Inside the container, where its address and password are; without Rails, which takes a minute to boot. What Rails
# reads in the address and libpq does not know stands behind the question mark.
ASK = """
connection = PG.connect(ENV.fetch("DATABASE_URL").sub(/\\?.*/m, ""))
column = ->(sql, *values) { connection.exec_params(sql, values).column_values(0) }
puts JSON.generate(
  schema: column.("SELECT max(version) FROM schema_migrations").first.to_s,
  landmarks: ARGV.select { |version| column.("SELECT 1 FROM schema_migrations WHERE version = $1", version).any? },
  invalid_indexes: column.("SELECT format('%I.%I', n.nspname, c.relname) FROM pg_index i " \\
    "JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_namespace n ON n.oid = c.relnamespace " \\
    "WHERE NOT i.indisvalid AND c.relkind = 'i' AND n.nspname !~ '^pg_' ORDER BY 1"),
)
"""
COMMAND = ["bundle", "exec", "ruby", "-rpg", "-rjson", "-e", ASK]
NOTHING = {"schema": "", "landmarks": [], "invalid_indexes": []}


def database(container, landmarks):
    """What the database says; nothing where the container cannot reach it."""
    done = run(["docker", "exec", container, *COMMAND, *landmarks], check=False)
    lines = done.stdout.strip().splitlines()
    return json.loads(lines[-1]) if done.returncode == 0 and lines else None


def main():
    module = AnsibleModule(
        argument_spec={
            "containers": {"type": "list", "elements": "str", "required": True},
            "landmarks": {"type": "list", "elements": "str", "default": []},
        },
        supports_check_mode=True,
    )
    try:
        docker = Docker()
        found = {name: docker.container(name) or {} for name in module.params["containers"]}
        running = {name: one for name, one in found.items() if one.get("State", {}).get("Running")}
        said = None
        for name in running:
            said = said or database(name, module.params["landmarks"])
    except EngineError as error:
        module.fail_json(msg=str(error))
    images = {name: one["Config"]["Image"] for name, one in running.items()}
    ids = {name: one["Image"] for name, one in running.items()}
    module.exit_json(changed=False, images=images, image_ids=ids, **(said or NOTHING))


if __name__ == "__main__":
    main()
