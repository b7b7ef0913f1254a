-- SPDX-FileCopyrightText: 2026 The selfhosting.lago authors
-- SPDX-License-Identifier: AGPL-3.0-or-later
ALTER TABLE public.organizations ALTER COLUMN filter_code SET NOT NULL;
ALTER TABLE public.invoices ADD COLUMN purchase_order_number character varying;
