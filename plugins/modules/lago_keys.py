#!/usr/bin/python
# SPDX-FileCopyrightText: 2026 The selfhosting.lago authors
# SPDX-License-Identifier: AGPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: lago_keys
short_description: Try which keys decrypt what Lago has stored
description:
  - Runs the application's own code in a one-off container of the image that runs, on its network and with its
    environment. It reads and changes nothing.
  - Keys go in through standard input, and only numbers come out.
options:
  container:
    description: The running container of Lago's API.
    type: str
    required: true
  environment_path:
    description: Its environment file.
    type: path
  environment:
    description: Its environment, where there is no such file.
    type: dict
  candidates:
    description: >-
      Sets of keys by name, each with C(primary_key), C(deterministic_key) and C(key_derivation_salt). The set C(live)
      is always tried.
    type: dict
    default: {}
author: The selfhosting.lago authors
"""

EXAMPLES = r"""
- name: Try the keys
  selfhosting.lago.lago_keys:
    container: mash-lago-api
    environment_path: /mash/lago/api/env
"""

RETURN = r"""
tables:
  description: For each table with encrypted columns how many rows it has, and how many each set of keys decrypts.
  returned: always
  type: dict
  sample: {"payment_providers": {"rows": 3, "live": 3}}
"""

import base64
import contextlib
import json
import tempfile

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.selfhosting.lago.plugins.module_utils.engine import Docker, EngineError, run

# Booting Rails takes 20 to 60 s on a small server.
PATIENCE = 600
MARK = "selfhosting.lago "
PROGRAM = """
require "base64"
require "json"

candidates = { "live" => nil }.merge(JSON.parse(Base64.strict_decode64("@candidates@")))
Rails.application.eager_load!
models = ActiveRecord::Base.descendants.reject(&:abstract_class?).select { |model| model.encrypted_attributes.present? }
tables = models.select(&:table_exists?).group_by(&:table_name)
texts = tables.to_h do |table, list|
  columns = list.flat_map { |model| model.encrypted_attributes.to_a }.map(&:to_s).uniq & list.first.column_names
  connection = list.first.connection
  found = columns.flat_map do |column|
    name = connection.quote_column_name(column)
    connection.select_values("SELECT #{name} FROM #{connection.quote_table_name(table)} WHERE #{name} IS NOT NULL")
  end
  [table, found]
end
counts = texts.transform_values { |found| { "rows" => found.size } }
candidates.each do |name, keys|
  ActiveRecord::Encryption.configure(**keys.transform_keys(&:to_sym)) if keys
  texts.each do |table, found|
    counts[table][name] = found.count do |text|
      ActiveRecord::Encryption.encryptor.decrypt(text)
      true
    rescue ActiveRecord::Encryption::Errors::Base
      false
    end
  end
end
puts "@mark@" + counts.to_json
"""


@contextlib.contextmanager
def environment_file(parameters):
    if parameters["environment_path"]:
        yield parameters["environment_path"]
        return
    # Memory on every server with systemd, and readable by root alone.
    with tempfile.NamedTemporaryFile("w", dir="/run", prefix="lago-keys-", encoding="utf-8") as file:
        file.writelines(f"{name}={value}\n" for name, value in parameters["environment"].items() if "\n" not in value)
        file.flush()
        yield file.name


def main():
    module = AnsibleModule(
        argument_spec={
            "container": {"type": "str", "required": True},
            "environment_path": {"type": "path"},
            "environment": {"type": "dict", "no_log": True},
            "candidates": {"type": "dict", "default": {}, "no_log": True},
        },
        required_one_of=[["environment_path", "environment"]],
        mutually_exclusive=[["environment_path", "environment"]],
        supports_check_mode=True,
    )
    container = module.params["container"]
    try:
        live = Docker().container(container)
        if not (live and live["State"]["Running"]):
            module.fail_json(
                msg=f"{container} does not run, so nobody can tell whether the keys are the right ones. "
                f"Start it first: systemctl start {container}"
            )
        encoded = base64.b64encode(json.dumps(module.params["candidates"]).encode()).decode()
        command = ["docker", "run", "--rm", "--interactive", "--pull=never", "--log-driver=none", "--read-only"]
        command += ["--cap-drop=ALL", "--tmpfs=/tmp:rw,mode=1777", "--tmpfs=/app/tmp:rw,mode=1777"]
        command += ["--tmpfs=/app/log:rw,mode=1777", "--env=HOME=/tmp", f"--network=container:{container}"]
        program = PROGRAM.replace("@candidates@", encoded).replace("@mark@", MARK)
        with environment_file(module.params) as path:
            command += [f"--env-file={path}"]
            command += [f"--user={live['Config']['User']}"] if live["Config"].get("User") else []
            command += [live["Image"], "bundle", "exec", "rails", "runner", "-"]
            done = run(command, check=False, timeout=PATIENCE, stdin=program)
    except (EngineError, OSError) as error:
        module.fail_json(msg=str(error))
    answers = [line[len(MARK) :] for line in done.stdout.splitlines() if line.startswith(MARK)]
    if done.returncode or not answers:
        said = [line for line in (done.stderr or done.stdout).splitlines() if line.strip()][-10:]
        module.fail_json(msg="\n".join(["Lago could not be asked which keys decrypt its data:", *said]))
    module.exit_json(changed=False, tables=json.loads(answers[-1]))


if __name__ == "__main__":
    main()
