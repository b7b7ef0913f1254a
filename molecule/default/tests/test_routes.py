# SPDX-FileCopyrightText: 2026 The selfhosting.lago authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Which paths reach Lago's API, and which never do in any spelling."""

import pytest
from verify import inside

PRIVATE = ["metrics", "sidekiq", "karafka", "admin", "data_api", "health", "ready"]
# Every public prefix is a place from which a path may try to climb out.
CLIMBS = [
    "/../{0}",
    "/api/../{0}",
    "/api/v1/../../{0}",
    "/api/v1/%2e%2e/%2e%2e/{0}",
    "/api/v1/%2E%2e/.%2E/{0}",
    "/api/v1/..%2f..%2f{0}",
    "/api/v1/..%2F..%2F{0}",
    "/api/v1/%2e%2e%2f%2e%2e%2f{0}",
    "/api/v1/..%5c..%5c{0}",
    "/api/v1/..\\..\\{0}",
    "/api/v1/..;/..;/{0}",
    "/api/v1/%252e%252e/%252e%252e/{0}",
    "/api/v1//../../../{0}",
    "/api/api/v1/../../{0}",
    "/api/api/v1/../../../{0}",
    "/api/api/../{0}",
    "/api/graphql/../{0}",
    "/api/cable/../{0}",
    "/api/cable/../../{0}",
    "/api/webhooks/../{0}",
    "/api/webhooks/..%2f{0}",
    "/api/rails/active_storage/../../{0}",
    "/webhooks/../{0}",
    "/webhooks/%2e%2e/{0}",
    "/webhooks/..%2f{0}",
    "/rails/active_storage/../../{0}",
    "/rails/active_storage/..%2f..%2f{0}",
    "/graphql/../{0}",
    "/graphql/{0}",
    "/cable/{0}",
]
SPELLINGS = [
    "/{0}",
    "/{0}/",
    "/{0}?x=1",
    "/{0}.json",
    "/{0};x",
    "/{0}%00",
    "/{0}%2f",
    "//{0}",
    "///{0}",
    "/./{0}",
    "/%2f{0}",
    "/%2e/{0}",
    "/api/{0}",
    "/api//{0}",
    "//api//{0}",
    "/api/api/{0}",
    "/api/api//{0}",
    "/api/v1/{0}",
    "/api%2f{0}",
    "/API/{0}",
    "/Api/Api/{0}",
]


def spellings(name):
    encoded = f"%{ord(name[0]):02x}{name[1:]}"
    for word in (name, name.upper(), name.capitalize(), encoded):
        for spelling in SPELLINGS + CLIMBS:
            yield spelling.format(word)


@pytest.mark.parametrize("name", PRIVATE)
def test_private_paths_are_reachable_in_no_spelling(site, user_values, name):
    """Lago's own 404 is what a path gets that Traefik passes on as it is, such as /api/v1/..%2f..%2fmetrics."""
    key = user_values["testbed_private_key_of_lago"]
    seen = []
    for path in spellings(name):
        for method in ("GET", "POST"):
            answer = site.request(method, path, X_Admin_API_Key=key, X_Data_API_Key=key)
            if answer.from_lago and answer.status != 404:
                seen.append(f"{method} {path}: {answer}")
    assert seen == []


@pytest.mark.parametrize("name", PRIVATE)
def test_private_paths_are_there_inside(host, user_values, name):
    """What nobody reaches from outside exists: otherwise the test above says nothing."""
    key = user_values["testbed_private_key_of_lago"]
    code = host.check_output(
        "docker exec mash-lago-api curl --silent --output /dev/null --write-out '%%{http_code}' --location"
        " --header 'X-Admin-API-Key: %s' --header 'X-Data-API-Key: %s' http://localhost:3000/%s",
        *[key, key, name],
    )
    assert code == "200"


def test_an_encoded_slash_reaches_lago_unchanged(site):
    code = "a/b"
    metric = {"name": code, "code": code, "aggregation_type": "count_agg"}
    created = site.post("/api/v1/billable_metrics", {"billable_metric": metric}, Authorization=site.authorization)
    assert created.status in (200, 422), created  # 422: from an earlier run
    for prefix in ("", "/api"):
        answer = site.get(f"{prefix}/api/v1/billable_metrics/a%2Fb", Authorization=site.authorization)
        assert (answer.status, answer.json["billable_metric"]["code"]) == (200, code)


@pytest.mark.parametrize("prefix", ["", "/api"])
@pytest.mark.parametrize("method", ["PUT", "POST", "DELETE", "PATCH"])
def test_files_can_only_be_read(site, method, prefix):
    for path in ("/rails/active_storage/disk/x", "/rails/active_storage/direct_uploads"):
        answer = site.request(method, prefix + path)
        assert not answer.from_lago, str(answer)
        assert answer.status != 200


def test_the_socket_proxy_shows_no_environment(host):
    """Asked from the network in which Traefik is."""
    image = inside.containers(host)["mash-lago-api"]["Config"]["Image"]
    script = r"""
        api=http://mash-container-socket-proxy:2375
        ask() {
            kind=$1 path=$2; shift 2
            code=$(curl --silent --path-as-is --output /tmp/body --write-out '%{http_code}' "$@" "$api$path")
            printf '%s %s %s %s\n' "$kind" "$code" "$path" "$(cat /tmp/body)"
        }
        for id in $(curl --silent $api/containers/json | grep --only-matching '"Id":"[0-9a-f]*' | cut -d'"' -f4); do
            for path in /containers/$id/json /v1.41/containers/$id/json "/containers/$id/json?size=1"; do
                ask open "$path"
            done
            for path in '/logs?stdout=1' /top /export '/archive?path=/' /../$id/json //json /json/ %2fjson; do
                ask closed "/containers/$id$path"
            done
            ask closed /containers/%2e/$id/json
        done
        for path in / /info /images/json /networks /volumes /secrets /configs /services /tasks /nodes /swarm /plugins \
            /system/df /events/../info /containers/json/../../info /v1.41/info /_ping/../info /version/../info; do
            ask closed $path
        done
        for method in POST PUT DELETE PATCH; do
            for path in /containers/create /containers/json /images/create?fromImage=x /version /_ping; do
                ask closed $path --request $method
            done
        done
    """
    lines = host.check_output(
        "docker run --rm --network=mash-container-socket-proxy --read-only --tmpfs=/tmp --entrypoint=sh %s -c %s",
        image,
        script,
    ).splitlines()
    opened = [line for line in lines if line.startswith("open ")]
    closed = [line for line in lines if line.startswith("closed ")]
    assert len(opened) >= 3 * 9
    assert [line for line in opened if not line.startswith("open 200 ") or '"Env":[]' not in line] == []
    assert len(closed) > 100
    assert [line for line in closed if line.split()[1] not in ("400", "403", "404", "405")] == []
    text = "\n".join(lines)
    assert '"Env":["' not in text
    assert "SECRET_KEY_BASE" not in text
