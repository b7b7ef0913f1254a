-- SPDX-FileCopyrightText: 2026 The selfhosting.lago authors
-- SPDX-License-Identifier: AGPL-3.0-or-later
CREATE TABLE public.organizations (
    id uuid DEFAULT gen_random_uuid() NOT NULL PRIMARY KEY,
    name character varying NOT NULL,
    email character varying,
    legal_name character varying,
    webhook_url character varying,
    country character varying,
    city character varying,
    address_line1 character varying,
    timezone character varying DEFAULT 'UTC' NOT NULL,
    default_currency character varying DEFAULT 'USD' NOT NULL,
    net_payment_term integer DEFAULT 0 NOT NULL,
    created_at timestamp(6) NOT NULL,
    updated_at timestamp(6) NOT NULL
);

CREATE TABLE public.users (
    id uuid DEFAULT gen_random_uuid() NOT NULL PRIMARY KEY,
    email character varying NOT NULL UNIQUE,
    password_digest character varying,
    created_at timestamp(6) NOT NULL,
    updated_at timestamp(6) NOT NULL
);

CREATE TABLE public.roles (
    id uuid DEFAULT gen_random_uuid() NOT NULL PRIMARY KEY,
    name character varying NOT NULL UNIQUE,
    admin boolean DEFAULT false NOT NULL,
    created_at timestamp(6) DEFAULT now() NOT NULL,
    updated_at timestamp(6) DEFAULT now() NOT NULL
);

CREATE TABLE public.memberships (
    id uuid DEFAULT gen_random_uuid() NOT NULL PRIMARY KEY,
    organization_id uuid NOT NULL REFERENCES public.organizations (id),
    user_id uuid NOT NULL REFERENCES public.users (id),
    role_id uuid NOT NULL REFERENCES public.roles (id),
    created_at timestamp(6) NOT NULL,
    updated_at timestamp(6) NOT NULL,
    UNIQUE (organization_id, user_id)
);

CREATE TABLE public.api_keys (
    id uuid DEFAULT gen_random_uuid() NOT NULL PRIMARY KEY,
    organization_id uuid NOT NULL REFERENCES public.organizations (id),
    value character varying NOT NULL UNIQUE,
    created_at timestamp(6) NOT NULL,
    updated_at timestamp(6) NOT NULL
);

CREATE TABLE public.billable_metrics (
    id uuid DEFAULT gen_random_uuid() NOT NULL PRIMARY KEY,
    organization_id uuid NOT NULL REFERENCES public.organizations (id),
    name character varying NOT NULL,
    code character varying NOT NULL,
    description character varying,
    aggregation_type character varying DEFAULT 'count_agg' NOT NULL,
    field_name character varying,
    deleted_at timestamp(6),
    created_at timestamp(6) NOT NULL,
    updated_at timestamp(6) NOT NULL
);

CREATE TABLE public.payment_providers (
    id uuid DEFAULT gen_random_uuid() NOT NULL PRIMARY KEY,
    organization_id uuid NOT NULL REFERENCES public.organizations (id),
    code character varying NOT NULL,
    name character varying NOT NULL,
    secrets text,
    created_at timestamp(6) NOT NULL,
    updated_at timestamp(6) NOT NULL
);

CREATE TABLE public.invoices (
    id uuid DEFAULT gen_random_uuid() NOT NULL PRIMARY KEY,
    organization_id uuid NOT NULL REFERENCES public.organizations (id),
    number character varying NOT NULL,
    currency character varying NOT NULL,
    status character varying NOT NULL,
    created_at timestamp(6) NOT NULL,
    updated_at timestamp(6) NOT NULL,
    UNIQUE (organization_id, number)
);

CREATE TABLE public.inbound_webhooks (
    id uuid DEFAULT gen_random_uuid() NOT NULL PRIMARY KEY,
    source character varying NOT NULL,
    organization_id character varying NOT NULL,
    code character varying,
    payload text,
    status character varying NOT NULL,
    created_at timestamp(6) NOT NULL,
    updated_at timestamp(6) NOT NULL
);

CREATE TABLE public.jobs_log (
    id bigserial NOT NULL PRIMARY KEY,
    job_id uuid NOT NULL,
    job_class character varying NOT NULL,
    queue character varying NOT NULL,
    state character varying NOT NULL,
    host character varying NOT NULL,
    pid integer NOT NULL,
    created_at timestamp(6) NOT NULL
);
CREATE INDEX index_jobs_log_on_job_id ON public.jobs_log (job_id);

CREATE TABLE public.clock_ticks (
    id bigserial NOT NULL PRIMARY KEY,
    event character varying NOT NULL,
    host character varying NOT NULL,
    pid integer NOT NULL,
    created_at timestamp(6) NOT NULL
);

CREATE TABLE public.active_storage_blobs (
    id uuid DEFAULT gen_random_uuid() NOT NULL PRIMARY KEY,
    key character varying NOT NULL UNIQUE,
    filename character varying NOT NULL,
    content_type character varying,
    metadata text,
    service_name character varying NOT NULL,
    byte_size bigint NOT NULL,
    checksum character varying,
    created_at timestamp(6) NOT NULL
);

CREATE TABLE public.active_storage_attachments (
    id uuid DEFAULT gen_random_uuid() NOT NULL PRIMARY KEY,
    name character varying NOT NULL,
    record_type character varying NOT NULL,
    record_id uuid NOT NULL,
    blob_id uuid NOT NULL REFERENCES public.active_storage_blobs (id),
    created_at timestamp(6) NOT NULL,
    UNIQUE (record_type, record_id, name, blob_id)
);

CREATE TABLE public.active_storage_variant_records (
    id uuid DEFAULT gen_random_uuid() NOT NULL PRIMARY KEY,
    blob_id uuid NOT NULL REFERENCES public.active_storage_blobs (id),
    variation_digest character varying NOT NULL,
    UNIQUE (blob_id, variation_digest)
);
