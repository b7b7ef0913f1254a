# SPDX-FileCopyrightText: 2026 The selfhosting.lago authors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""What lego's provider httpreq calls, passed on to pebble-challtestsrv; runs on the server under test."""

import json
import urllib.request
from http.server import BaseHTTPRequestHandler, HTTPServer

ACTIONS = {"/present": "set-txt", "/cleanup": "clear-txt"}


class Handler(BaseHTTPRequestHandler):
    def do_POST(self):
        given = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        record = json.dumps({"host": given["fqdn"], "value": given["value"]}).encode()
        urllib.request.urlopen(f"http://127.0.0.1:8055/{ACTIONS[self.path]}", record).close()
        self.send_response(200)
        self.end_headers()


HTTPServer(("", 8054), Handler).serve_forever()
