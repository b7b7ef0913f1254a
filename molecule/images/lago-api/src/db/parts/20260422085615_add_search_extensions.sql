-- SPDX-FileCopyrightText: 2026 The selfhosting.lago authors
-- SPDX-License-Identifier: AGPL-3.0-or-later
CREATE INDEX index_invoices_on_number_search ON public.invoices USING gin (organization_id, number public.gin_trgm_ops);
