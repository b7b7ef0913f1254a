-- SPDX-FileCopyrightText: 2026 The selfhosting.lago authors
-- SPDX-License-Identifier: AGPL-3.0-or-later
CREATE TABLE public.events (
    id uuid DEFAULT gen_random_uuid() NOT NULL PRIMARY KEY,
    organization_id uuid NOT NULL,
    transaction_id character varying NOT NULL,
    external_subscription_id character varying NOT NULL,
    code character varying NOT NULL,
    "timestamp" timestamp(6) NOT NULL,
    precise_total_amount_cents numeric(40,15),
    properties jsonb DEFAULT '{}' NOT NULL,
    metadata jsonb DEFAULT '{}' NOT NULL,
    processed_at timestamp(6),
    created_at timestamp(6) NOT NULL,
    updated_at timestamp(6) NOT NULL
);
CREATE UNIQUE INDEX index_unique_transaction_id ON public.events (organization_id, external_subscription_id, transaction_id);

CREATE TABLE public.enriched_events (
    id uuid DEFAULT gen_random_uuid() NOT NULL,
    event_id uuid NOT NULL,
    "timestamp" timestamp(6) NOT NULL,
    value numeric
) PARTITION BY RANGE ("timestamp");
CREATE TABLE public.enriched_events_default PARTITION OF public.enriched_events DEFAULT;
