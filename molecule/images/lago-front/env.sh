#!/bin/bash
# SPDX-FileCopyrightText: 2026 The selfhosting.lago authors
# SPDX-License-Identifier: AGPL-3.0-or-later
# Writes the settings of the browser's side anew at every start, without any escaping.
set -e
rm -rf ./env-config.js
{
  echo "window._env_ = {"
  for name in API_URL LAGO_DOMAIN APP_ENV LAGO_OAUTH_PROXY_URL LAGO_DISABLE_SIGNUP NANGO_PUBLIC_KEY SENTRY_DSN \
      LAGO_DISABLE_PDF_GENERATION LAGO_SUPERSET_URL; do
    echo "  $name: \"${!name}\","
  done
  echo "}"
} > ./env-config.js
