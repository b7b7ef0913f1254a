# SPDX-FileCopyrightText: 2026 The selfhosting.lago authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""An action plugin that carries out nothing; it is copied under the names of those that would."""

import os

import acting
from ansible.plugins.action import ActionBase

NAME = os.path.basename(__file__).removesuffix(".py")


class ActionModule(ActionBase):
    supports_check_mode = True

    def run(self, tmp=None, task_vars=None):
        answer = acting.asked(NAME, self._task.args, self._templar.resolve_variable_expression)
        return {**super().run(tmp, task_vars), "changed": NAME != "server_probe", **answer}
