# SPDX-FileCopyrightText: 2026 The selfhosting.lago authors
# SPDX-License-Identifier: AGPL-3.0-or-later
from collections.abc import Mapping

import pytest
from ansible.errors import AnsibleError
from ansible.template import Templar
from ansible_collections.selfhosting.lago.plugins.plugin_utils.settled import Settled
from virtual_host import LOADER, trusted


def settled(**variables):
    return Settled(Templar(loader=LOADER), trusted(variables))


def resolved(template, **variables):
    return settled(**variables).resolve(trusted(template))


@pytest.mark.parametrize("value", ["text", "", 7, 1.5, True, None, ["a", {"b": None}], {"c": ["d"]}])
def test_a_variable_keeps_its_type(value):
    assert resolved("{{ a }}", a=value) == value
    assert resolved("{{ a }}", a="{{ b }}", b=value) == value


def test_the_same_as_ansible():
    template = {"{{ a }}": ["{{ b }}", "{{ b }} and {{ a }}", {"d": "{{ c }}"}], "e": "{{ b | default(1) }}"}
    variables = {"a": "1", "b": "{{ a }}2", "c": ["{{ b }}", 3]}
    expected = Templar(loader=LOADER, variables=trusted(variables)).template(trusted(template))
    assert resolved(template, **variables) == expected


FORMS = [
    "{{ a }}",
    "{{ a }}{{ number }}",
    "{{ a }}:{{ number }}/{{ Upper }}\n",
    "{{ _under }} {{ a }}\n\n",
    "{{ a }} and {{ yes }}",
    "{{ a }} and {{ nothing }}",
    "{{ a }} and {{ some }}",
    "{{ a }} and {{ empty }}|",
    "{{ a }} { {{ number }} }",
    "{{a}} {{ number}}",
    "{# {{ a }} #}{{ number }}",
    "{{ a }}{% if yes %} and {{ number }}{% endif %}",
    "{{ '{{ a }}' }} {{ a }}",
    "{{ dictionary.key }} {{ a }}",
    "{{ lookup('vars', 'nu' ~ 'mber') }}",
    "{{ lookup('vars', 'further') }} {{ a }}",
    "{{ Upper ~ _under }}",
    "{{ indirect }} {{ indirect | upper }}",
    "{{ a is defined and other is not defined }}",
    "text",
]


@pytest.mark.parametrize("form", FORMS)
def test_each_form_is_what_ansible_makes_of_it(form):
    variables = {
        "a": "b",
        "number": 7,
        "yes": True,
        "nothing": None,
        "some": ["c", 1],
        "empty": "",
        "Upper": "U",
        "_under": "u",
        "dictionary": {"key": "{{ number }}"},
        "further": "{{ a }}",
        "indirect": "{{ further }}{{ number }}",
    }
    expected = Templar(loader=LOADER, variables=trusted(variables)).template(trusted(form))
    found = resolved(form, **variables)
    assert (type(found), found) == (type(expected), expected)


def test_local_values_are_seen_by_one_template_only():
    one = settled(a="{{ item }}", b="b", index=9)
    local = {"item": {"name": "c"}, "index": 0}
    asked = ["{{ item.name }}{{ b }}", "{{ item }}", "{{ b }}-{{ index }}", "{{ a }}", "{{ index + 1 }}"]
    assert one.resolve(trusted(asked), local) == ["cb", {"name": "c"}, "b-0", {"name": "c"}, 1]
    assert one.resolve(trusted("{{ b }}-{{ index }} {{ item is defined }}")) == "b-9 False"


@pytest.mark.parametrize("variables", [{"a": "{{ a }}"}, {"a": "{{ b }}", "b": "{{ a }}"}])
def test_a_circle_is_an_error(variables):
    with pytest.raises(AnsibleError):
        resolved("{{ a }}", **variables)


def test_what_is_not_there_is_an_error_only_where_it_is_used():
    one = settled(a="{{ missing }}", b="{{ a | default('other') }}")
    assert one.resolve(trusted("{{ b }}")) == "other"
    with pytest.raises(AnsibleError, match="missing"):
        one.resolve(trusted("{{ a }}"))


def test_what_is_no_template_of_the_user_stays():
    assert settled(a="1").resolve("{{ a }}") == "{{ a }}"


class Hosts(Mapping):
    """As Ansible's hostvars: looking at all of it costs the work of all hosts."""

    def __getitem__(self, name):
        return {"address": f"address of {name}"}

    def __iter__(self):
        raise AssertionError("nobody asked for all of them")

    def __len__(self):
        return 1000


def test_other_hosts_are_only_asked_for():
    one = Settled(Templar(loader=LOADER), {"hostvars": Hosts()})
    with pytest.raises(AssertionError, match="nobody"):
        list(one.variables["hostvars"])
    one.settle("{{ hostvars['b'].address }}")
    assert isinstance(one.variables["hostvars"], Hosts)
