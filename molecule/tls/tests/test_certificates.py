# SPDX-FileCopyrightText: 2026 The selfhosting.lago authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Certificates that Traefik gets from an ACME server, and those that it is given."""

import pytest
from verify.outside import Site
from verify.waiting import eventually

# Only a DNS challenge proves the right to a wildcard.
WILDCARD = """
http:
  routers:
    test:
      rule: Host(`any.dns.example.test`)
      service: noop@internal
      entryPoints: [web-secure]
      tls:
        certResolver: default
        domains: [{main: "*.dns.example.test"}]
"""
USERS_OWN = """
http:
  routers:
    test: {rule: Host(`lago.example.test`), service: noop@internal, entryPoints: [web-secure], tls: {}}
"""
# The test's DNS server names no server that is responsible for a zone.
WITHOUT_CHECKS = """
certificatesResolvers: {default: {acme: {dnsChallenge: {propagation: {disableChecks: true}}}}}
"""
FETCH = """python3 -c '
import ssl, sys, urllib.request as r
print(r.urlopen("https://127.0.0.1:15000/roots/0", context=ssl._create_unverified_context()).read().decode())'
"""


@pytest.fixture
def root(host, tmp_path):
    """The authority behind all certificates of this pebble; it makes a new one when it starts."""
    path = tmp_path / "root.pem"
    path.write_text(host.check_output(FETCH))
    return path


def trusted(name, server, root):
    site = Site(name, server.address, root)
    with site.answering():
        return eventually(lambda: site.get("/").status, seconds=60)


def test_http_challenge(server, root, play):
    play()
    assert trusted("http.example.test", server, root) == 418


def test_dns_challenge(server, root, play):
    play(
        traefik_config_certificatesResolvers_acme_dnsChallenge_enabled=True,
        traefik_config_certificatesResolvers_acme_dnsChallenge_provider="httpreq",
        traefik_config_certificatesResolvers_acme_dnsChallenge_resolvers=["10.99.0.3:8053"],
        traefik_configuration_extension_yaml=WITHOUT_CHECKS,
        traefik_provider_configuration_extension_yaml=WILDCARD,
    )
    assert trusted("any.dns.example.test", server, root) == 418


def test_a_certificate_of_the_users_own(server, keys, play):
    certificate = {"certificate": keys / "certificate.pem", "private_key": keys / "certificate-key.pem"}
    play(
        traefik_config_certificatesResolvers_acme_enabled=False,
        traefik_certificates=[{name: path.read_text() for name, path in certificate.items()}],
        traefik_provider_configuration_extension_yaml=USERS_OWN,
    )
    assert trusted("lago.example.test", server, keys / "certificate.pem") == 418
