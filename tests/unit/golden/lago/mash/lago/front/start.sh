#!/bin/sh
# SPDX-FileCopyrightText: 2026 The selfhosting.lago authors
# SPDX-License-Identifier: AGPL-3.0-or-later
#
# nginx with its own configuration, in which only the list of those who may show Lago in a frame is another one.
set -e
rm -rf /run/nginx
cp -R /etc/nginx /run/nginx
find /run/nginx -name '*.conf' -exec sed -i 's#/etc/nginx/#/run/nginx/#g' {} +
if [ -n "${FRAME_ANCESTORS:-}" ]; then
    find /run/nginx -name '*.conf' -exec sed -i "s#frame-ancestors[^;\"]*#frame-ancestors ${FRAME_ANCESTORS}#g" {} +
fi
exec nginx -c /run/nginx/nginx.conf -g 'daemon off;'
