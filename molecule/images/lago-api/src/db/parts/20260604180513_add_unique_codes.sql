-- SPDX-FileCopyrightText: 2026 The selfhosting.lago authors
-- SPDX-License-Identifier: AGPL-3.0-or-later
-- Needs Postgres 15.
CREATE UNIQUE INDEX index_billable_metrics_on_code ON public.billable_metrics (organization_id, code, deleted_at) NULLS NOT DISTINCT;
