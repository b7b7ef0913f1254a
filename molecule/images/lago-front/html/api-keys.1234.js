// SPDX-FileCopyrightText: 2026 The selfhosting.lago authors
// SPDX-License-Identifier: AGPL-3.0-or-later
// An asset whose name begins like the API's path.
document.getElementById("root")?.append("API keys")
