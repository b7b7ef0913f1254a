# SPDX-FileCopyrightText: 2026 The selfhosting.lago authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Put inventory hosts that are one server into an order, and say what is wrong between them."""

from __future__ import annotations

from ansible.plugins.action import ActionBase
from ansible_collections.selfhosting.lago.plugins.plugin_utils import neighbours


class ActionModule(ActionBase):
    supports_check_mode = True

    def run(self, tmp=None, task_vars=None):
        result = super().run(tmp, task_vars)
        _valid, arguments = self.validate_argument_spec(
            argument_spec={
                "hosts": {"type": "list", "elements": "str", "required": True},
                "server": {"type": "dict", "required": True},
                "verb": {"type": "str", "required": True},
            }
        )
        host, server, hosts = task_vars["inventory_hostname"], arguments["server"], sorted(arguments["hosts"])
        # Of itself it is known without a look at all variables of all hosts.
        claims = {
            one: (task_vars if one == host else task_vars["hostvars"][one])["selfhosting_claims"] for one in hosts
        }
        elsewhere = neighbours.recorded(server, hosts, task_vars["groups"]["all"], claims[host]["products"])
        problems = neighbours.conflicts(host, claims, elsewhere)
        if arguments["verb"] in ("setup", "preflight"):
            problems += self.missing(host, claims, server)
        try:
            order = neighbours.waves(claims)
        except ValueError as error:
            order = hosts
            # Where two hosts own the same, that is what is wrong.
            clash = any(neighbours.conflicts(one, claims, {}) for one in hosts)
            problems += [str(error)] if host == hosts[0] and not clash else []
        # Who needs others stops before them.
        order = order[::-1] if arguments["verb"] == "stop" else order
        earlier = order[: order.index(host)]
        needs = {one: names & set(claims) for one, names in neighbours.needed(claims).items()}
        facts = {
            "selfhosting_wave": len(earlier),
            "selfhosting_earlier": earlier,
            "selfhosting_waits_for": [one for one in earlier if one in needs[host] or host in needs[one]],
            "selfhosting_neighbour_problems": problems,
        }
        # One of the hosts installs Docker for all of them.
        docker = next((claims[one]["docker"] for one in order if claims[one]["docker"]["enabled"]), None)
        if docker and not claims[host]["docker"]["enabled"]:
            facts["selfhosting_docker_installation"] = docker
        return {**result, "changed": False, "ansible_facts": facts}

    def missing(self, host: str, claims: dict, server: dict) -> list[str]:
        """Networks and names that are neither on the server nor made by a host of this run."""
        if server["docker"]["installed"] and not server["docker"]["running"]:
            # What a stopped Docker has cannot be seen.
            return []
        networks = {*server["networks"], *(name for claim in claims.values() for name in claim["networks"])}
        containers = {name: container["networks"] for name, container in server["containers"].items()}
        for claim in claims.values():
            containers.update(claim["containers"])
        return [
            *neighbours.missing_networks(claims[host], claims[host]["named_networks"], networks, host),
            *neighbours.unanswered(claims[host]["connections"], containers),
        ]
