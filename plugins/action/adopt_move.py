# SPDX-FileCopyrightText: 2026 The selfhosting.lago authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Move what a compose project holds: a program on the server does it, and a connection that breaks does not end it."""

from __future__ import annotations

import json
from pathlib import Path

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase
from ansible_collections.selfhosting.lago.plugins.plugin_utils import moving
from ansible_collections.selfhosting.lago.plugins.plugin_utils.following import follow
from ansible_collections.selfhosting.lago.plugins.plugin_utils.lease import terms
from ansible_collections.selfhosting.lago.plugins.plugin_utils.product import COLLECTION, Product, role_path

UNIT = "selfhosting-lago-adopt.service"
# Of the backup: how a database is dumped and compared.
SHARED = ("postgres.py", "shell.py")
# Of the units: how a worker is told to take no more jobs.
QUIET = "container-quiet.py"


def program() -> dict[str, str]:
    """Name to text of its files."""
    files = [*Path(role_path("adopt"), "files", "program").glob("*.py")]
    files += [Path(role_path("backup"), "files", "program", name) for name in SHARED]
    files.append(Path(COLLECTION, "plugins", "plugin_utils", "files", QUIET))
    return {file.name: file.read_text(encoding="utf-8") for file in sorted(files)}


class ActionModule(ActionBase):
    supports_check_mode = False

    def run(self, tmp=None, task_vars=None):
        result = super().run(tmp, task_vars)
        _valid, arguments = self.validate_argument_spec(
            argument_spec={
                "path": {"type": "path", "required": True},
                "record_path": {"type": "path", "required": True},
                "server": {"type": "dict", "required": True},
            }
        )
        self._host, self._task_vars = task_vars["inventory_hostname"], task_vars
        self._lease = terms(self._host, arguments["server"])
        path, project = arguments["path"], task_vars["selfhosting_adopt"]["project"]
        if project["record"].get("state") == "moved":
            return {**result, "changed": False}
        lago = Product.load("lago", self._loader, self._templar, task_vars)
        asked = moving.request(project, self.ours(lago, path, arguments["record_path"]))
        texts, secret = program(), f"{path}/request.json"
        self.files(
            directories=[
                {"path": path, "mode": "0700"},
                *(
                    {"path": one, **lago.owner()}
                    for one in (lago.variable("lago_base_path"), asked["storage"]["target"])
                ),
            ],
            files=[{"path": f"{path}/{name}", "content": text} for name, text in texts.items()]
            + [{"path": secret, "mode": "0600"}],
            secrets={secret: json.dumps(asked)},
        )
        command = ["/usr/bin/python3", "-I", "-B", path]
        try:
            follow(self, self._host, UNIT, task_vars, name="The move", lease=self._lease, command=command)
        except AnsibleActionFail as error:
            again = f"just adopt-compose {project['directory']} -e confirm={self._host}"
            raise AnsibleActionFail(f"{error.message}\nTo go on from there: {again}", result=error.result) from error
        return {**result, "changed": True}

    def files(self, **arguments) -> None:
        answer = self._execute_module(
            module_name="selfhosting.lago.server_files",
            module_args={**arguments, "lease": self._lease},
            task_vars=self._task_vars,
        )
        if answer.get("failed"):
            raise AnsibleActionFail(answer.get("msg") or "server_files failed", result=answer)

    @staticmethod
    def ours(lago: Product, path: str, record_path: str) -> dict:
        return {
            "record_path": record_path,
            "quiet": ["/usr/bin/python3", "-I", f"{path}/{QUIET}"],
            "drain_seconds": int(lago.variable("lago_worker_drain_seconds")),
            "postgres": {
                "container": lago.evaluate("postgres_identifier"),
                "user": lago.evaluate("postgres_connection_username"),
                "database": lago.variable("lago_database_name"),
                "owner": lago.variable("lago_database_username"),
            },
            "redis": {
                "container": lago.evaluate("valkey_identifier"),
                "port": int(lago.evaluate("valkey_container_tcp_port")),
                "password": lago.evaluate("valkey_connection_password"),
                "database": int(lago.variable("lago_redis_database")),
            },
            "storage": {
                "target": lago.variable("lago_api_data_path"),
                "ids": lago.evaluate("lago_uid ~ ':' ~ lago_gid"),
            },
        }
