# SPDX-FileCopyrightText: 2026 The selfhosting.lago authors
# SPDX-License-Identifier: AGPL-3.0-or-later
RSA_PRIVATE_KEY = Settings.rsa_private_key
RSA_PUBLIC_KEY = RSA_PRIVATE_KEY.public_key
