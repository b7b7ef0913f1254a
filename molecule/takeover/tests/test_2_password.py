# SPDX-FileCopyrightText: 2026 The selfhosting.lago authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""After the takeover another password of Lago's role: Postgres and what connects to it change at the same moment."""

import uuid

import pytest
from verify import inside
from verify.database_password import watching
from verify.former import SHARED, WAYS
from verify.load import load


def test_no_api_runs_with_a_password_that_postgres_refuses(host, server, site, play):
    if WAYS[server.name] != SHARED:
        pytest.skip("Postgres is still MASH's here, and so are its passwords")
    new = f"another/pass%word of the:role {uuid.uuid4()}"
    with watching(host) as samples, load(site) as sent:
        done = play(lago_database_password=new, mash_playbook_takeover_shared_services=True)
    assert done.units["mash-lago-database-password.service"] == "run"
    assert "mash-lago-migrate.service" not in done.units
    old, *others = dict.fromkeys(sample.container for sample in samples)
    (now,) = others
    before = [sample for sample in samples if sample.container == old]
    after = [sample for sample in samples if sample.container == now]
    refused = [sample for sample in before if not sample.let_in]
    restart = after[0].time - before[-1].time
    print(f"{len(samples)} tries, {len(refused)} refused before a restart of {restart:.1f} s")
    assert len(before) > 5
    assert len(after) > 1
    assert all(sample.let_in for sample in after)
    # Its old password is refused between the change and its end only: for about as long as the restart takes anyway.
    assert not refused or refused[-1].time - refused[0].time < restart + 10
    # While the API restarts Traefik says so; nothing failed for want of a connection to the database.
    assert set(sent.failed) <= {503}
    assert inside.event_rows(host, sent.accepted) == len(sent.accepted)
    assert play("--check", lago_database_password=new, mash_playbook_takeover_shared_services=True).units == {}
