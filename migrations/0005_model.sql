-- Up Migration
-- Columns of the canonical kinds follow src/kit/entities.ts; a test compares the two.
-- One row per source record. Sources stay apart here, so that a wrong join destroys nothing.
create table contact_projection (
  tenant_id uuid not null,
  stream_id uuid not null,
  remote_id text not null,
  entity_id uuid not null,
  name text,
  first_name text,
  last_name text,
  email text,
  emails text[],
  phone text,
  phones text[],
  birthday date,
  time_zone text,
  locale text,
  address_line text,
  city text,
  region text,
  postal_code text,
  country text,
  company_name text,
  job_title text,
  status text,
  native_status text,
  tags text[],
  email_opt_out boolean,
  sms_opt_out boolean,
  external_ids text[],
  company_ref text,
  company_id uuid,
  owner_ref text,
  owner_id uuid,
  keys text[] not null default '{}',
  custom jsonb,
  source_created_at timestamptz,
  source_updated_at timestamptz,
  deleted_at timestamptz,
  mapping_version text not null,
  updated_at timestamptz not null,
  primary key (tenant_id, stream_id, remote_id)
);
create index contact_projection_entity on contact_projection (tenant_id, entity_id);
create index contact_projection_dangling_company on contact_projection (tenant_id, company_ref) where company_id is null and company_ref is not null;
create index contact_projection_company on contact_projection (tenant_id, company_id) where company_id is not null;
create index contact_projection_dangling_owner on contact_projection (tenant_id, owner_ref) where owner_id is null and owner_ref is not null;
-- The golden row: one per real person or company, field by field from its sources.
create table customer (
  tenant_id uuid not null,
  id uuid not null,
  name text,
  first_name text,
  last_name text,
  email text,
  emails text[],
  phone text,
  phones text[],
  birthday date,
  time_zone text,
  locale text,
  address_line text,
  city text,
  region text,
  postal_code text,
  country text,
  company_name text,
  job_title text,
  status text,
  native_status text,
  tags text[],
  email_opt_out boolean,
  sms_opt_out boolean,
  external_ids text[],
  company_id uuid,
  owner_id uuid,
  custom jsonb,
  provenance jsonb not null,
  sources int not null,
  source_created_at timestamptz,
  created_at timestamptz not null,
  updated_at timestamptz not null,
  deleted_at timestamptz,
  version int not null default 1,
  primary key (tenant_id, id)
);
create table company_projection (
  tenant_id uuid not null,
  stream_id uuid not null,
  remote_id text not null,
  entity_id uuid not null,
  name text,
  legal_name text,
  domain text,
  email text,
  phone text,
  tax_id text,
  industry text,
  time_zone text,
  address_line text,
  city text,
  region text,
  postal_code text,
  country text,
  status text,
  native_status text,
  tags text[],
  external_ids text[],
  owner_ref text,
  owner_id uuid,
  keys text[] not null default '{}',
  custom jsonb,
  source_created_at timestamptz,
  source_updated_at timestamptz,
  deleted_at timestamptz,
  mapping_version text not null,
  updated_at timestamptz not null,
  primary key (tenant_id, stream_id, remote_id)
);
create index company_projection_entity on company_projection (tenant_id, entity_id);
create index company_projection_dangling_owner on company_projection (tenant_id, owner_ref) where owner_id is null and owner_ref is not null;
-- The golden row of a company.
create table company (
  tenant_id uuid not null,
  id uuid not null,
  name text,
  legal_name text,
  domain text,
  email text,
  phone text,
  tax_id text,
  industry text,
  time_zone text,
  address_line text,
  city text,
  region text,
  postal_code text,
  country text,
  status text,
  native_status text,
  tags text[],
  external_ids text[],
  owner_id uuid,
  custom jsonb,
  provenance jsonb not null,
  sources int not null,
  source_created_at timestamptz,
  created_at timestamptz not null,
  updated_at timestamptz not null,
  deleted_at timestamptz,
  version int not null default 1,
  primary key (tenant_id, id)
);
-- Kinds that are not joined: the row of the source is the entity.
create table owner (
  tenant_id uuid not null,
  stream_id uuid not null,
  remote_id text not null,
  entity_id uuid not null,
  name text,
  email text,
  time_zone text,
  active boolean,
  native_user_id text,
  custom jsonb,
  source_created_at timestamptz,
  source_updated_at timestamptz,
  deleted_at timestamptz,
  mapping_version text not null,
  updated_at timestamptz not null,
  primary key (tenant_id, stream_id, remote_id)
);
create unique index owner_entity on owner (tenant_id, entity_id);
create table pipeline_stage (
  tenant_id uuid not null,
  stream_id uuid not null,
  remote_id text not null,
  entity_id uuid not null,
  object text,
  pipeline text,
  pipeline_label text,
  stage text,
  label text,
  position integer,
  outcome text,
  custom jsonb,
  source_created_at timestamptz,
  source_updated_at timestamptz,
  deleted_at timestamptz,
  mapping_version text not null,
  updated_at timestamptz not null,
  primary key (tenant_id, stream_id, remote_id)
);
create unique index pipeline_stage_entity on pipeline_stage (tenant_id, entity_id);
create table deal (
  tenant_id uuid not null,
  stream_id uuid not null,
  remote_id text not null,
  entity_id uuid not null,
  name text,
  amount numeric,
  currency text,
  pipeline text,
  stage text,
  status text,
  native_status text,
  closes_on date,
  customer_ref text,
  customer_id uuid,
  company_ref text,
  company_id uuid,
  owner_ref text,
  owner_id uuid,
  custom jsonb,
  source_created_at timestamptz,
  source_updated_at timestamptz,
  deleted_at timestamptz,
  mapping_version text not null,
  updated_at timestamptz not null,
  primary key (tenant_id, stream_id, remote_id)
);
create unique index deal_entity on deal (tenant_id, entity_id);
create index deal_dangling_customer on deal (tenant_id, customer_ref) where customer_id is null and customer_ref is not null;
create index deal_customer on deal (tenant_id, customer_id);
create index deal_dangling_company on deal (tenant_id, company_ref) where company_id is null and company_ref is not null;
create index deal_dangling_owner on deal (tenant_id, owner_ref) where owner_id is null and owner_ref is not null;
create table ticket (
  tenant_id uuid not null,
  stream_id uuid not null,
  remote_id text not null,
  entity_id uuid not null,
  subject text,
  priority text,
  category text,
  pipeline text,
  stage text,
  status text,
  native_status text,
  closed_at timestamptz,
  customer_ref text,
  customer_id uuid,
  company_ref text,
  company_id uuid,
  owner_ref text,
  owner_id uuid,
  custom jsonb,
  source_created_at timestamptz,
  source_updated_at timestamptz,
  deleted_at timestamptz,
  mapping_version text not null,
  updated_at timestamptz not null,
  primary key (tenant_id, stream_id, remote_id)
);
create unique index ticket_entity on ticket (tenant_id, entity_id);
create index ticket_dangling_customer on ticket (tenant_id, customer_ref) where customer_id is null and customer_ref is not null;
create index ticket_customer on ticket (tenant_id, customer_id);
create index ticket_dangling_company on ticket (tenant_id, company_ref) where company_id is null and company_ref is not null;
create index ticket_dangling_owner on ticket (tenant_id, owner_ref) where owner_id is null and owner_ref is not null;
create table invoice (
  tenant_id uuid not null,
  stream_id uuid not null,
  remote_id text not null,
  entity_id uuid not null,
  number text,
  status text,
  native_status text,
  issued_on date,
  due_on date,
  paid_on date,
  total numeric,
  balance numeric,
  currency text,
  email text,
  url text,
  lines jsonb,
  customer_ref text,
  customer_id uuid,
  company_ref text,
  company_id uuid,
  owner_ref text,
  owner_id uuid,
  duplicate_of uuid,
  custom jsonb,
  source_created_at timestamptz,
  source_updated_at timestamptz,
  deleted_at timestamptz,
  mapping_version text not null,
  updated_at timestamptz not null,
  primary key (tenant_id, stream_id, remote_id)
);
create unique index invoice_entity on invoice (tenant_id, entity_id);
create index invoice_dangling_customer on invoice (tenant_id, customer_ref) where customer_id is null and customer_ref is not null;
create index invoice_customer on invoice (tenant_id, customer_id);
create index invoice_dangling_company on invoice (tenant_id, company_ref) where company_id is null and company_ref is not null;
create index invoice_dangling_owner on invoice (tenant_id, owner_ref) where owner_id is null and owner_ref is not null;
create table payment (
  tenant_id uuid not null,
  stream_id uuid not null,
  remote_id text not null,
  entity_id uuid not null,
  amount numeric,
  currency text,
  kind text,
  status text,
  native_status text,
  paid_on date,
  method text,
  failure_reason text,
  invoice_refs text[],
  unapplied numeric,
  customer_ref text,
  customer_id uuid,
  company_ref text,
  company_id uuid,
  owner_ref text,
  owner_id uuid,
  custom jsonb,
  source_created_at timestamptz,
  source_updated_at timestamptz,
  deleted_at timestamptz,
  mapping_version text not null,
  updated_at timestamptz not null,
  primary key (tenant_id, stream_id, remote_id)
);
create unique index payment_entity on payment (tenant_id, entity_id);
create index payment_dangling_customer on payment (tenant_id, customer_ref) where customer_id is null and customer_ref is not null;
create index payment_customer on payment (tenant_id, customer_id);
create index payment_dangling_company on payment (tenant_id, company_ref) where company_id is null and company_ref is not null;
create index payment_dangling_owner on payment (tenant_id, owner_ref) where owner_id is null and owner_ref is not null;
create table job (
  tenant_id uuid not null,
  stream_id uuid not null,
  remote_id text not null,
  entity_id uuid not null,
  title text,
  kind text,
  status text,
  native_status text,
  scheduled_at timestamptz,
  completed_on date,
  amount numeric,
  currency text,
  asset text,
  customer_ref text,
  customer_id uuid,
  company_ref text,
  company_id uuid,
  owner_ref text,
  owner_id uuid,
  custom jsonb,
  source_created_at timestamptz,
  source_updated_at timestamptz,
  deleted_at timestamptz,
  mapping_version text not null,
  updated_at timestamptz not null,
  primary key (tenant_id, stream_id, remote_id)
);
create unique index job_entity on job (tenant_id, entity_id);
create index job_dangling_customer on job (tenant_id, customer_ref) where customer_id is null and customer_ref is not null;
create index job_customer on job (tenant_id, customer_id);
create index job_dangling_company on job (tenant_id, company_ref) where company_id is null and company_ref is not null;
create index job_dangling_owner on job (tenant_id, owner_ref) where owner_id is null and owner_ref is not null;
create table subscription (
  tenant_id uuid not null,
  stream_id uuid not null,
  remote_id text not null,
  entity_id uuid not null,
  name text,
  kind text,
  status text,
  native_status text,
  started_on date,
  ends_on date,
  renews_on date,
  amount numeric,
  currency text,
  plan text,
  customer_ref text,
  customer_id uuid,
  company_ref text,
  company_id uuid,
  owner_ref text,
  owner_id uuid,
  custom jsonb,
  source_created_at timestamptz,
  source_updated_at timestamptz,
  deleted_at timestamptz,
  mapping_version text not null,
  updated_at timestamptz not null,
  primary key (tenant_id, stream_id, remote_id)
);
create unique index subscription_entity on subscription (tenant_id, entity_id);
create index subscription_dangling_customer on subscription (tenant_id, customer_ref) where customer_id is null and customer_ref is not null;
create index subscription_customer on subscription (tenant_id, customer_id);
create index subscription_dangling_company on subscription (tenant_id, company_ref) where company_id is null and company_ref is not null;
create index subscription_dangling_owner on subscription (tenant_id, owner_ref) where owner_id is null and owner_ref is not null;
create table activity (
  tenant_id uuid not null,
  stream_id uuid not null,
  remote_id text not null,
  entity_id uuid not null,
  kind text,
  channel text,
  direction text,
  status text,
  subject text,
  body text,
  occurred_at timestamptz,
  automatic boolean,
  address text,
  customer_ref text,
  customer_id uuid,
  company_ref text,
  company_id uuid,
  owner_ref text,
  owner_id uuid,
  custom jsonb,
  source_created_at timestamptz,
  source_updated_at timestamptz,
  deleted_at timestamptz,
  mapping_version text not null,
  updated_at timestamptz not null,
  primary key (tenant_id, stream_id, remote_id)
);
create unique index activity_entity on activity (tenant_id, entity_id);
create index activity_dangling_customer on activity (tenant_id, customer_ref) where customer_id is null and customer_ref is not null;
create index activity_customer on activity (tenant_id, customer_id);
create index activity_dangling_company on activity (tenant_id, company_ref) where company_id is null and company_ref is not null;
create index activity_dangling_owner on activity (tenant_id, owner_ref) where owner_id is null and owner_ref is not null;
create table survey_response (
  tenant_id uuid not null,
  stream_id uuid not null,
  remote_id text not null,
  entity_id uuid not null,
  survey text,
  kind text,
  score numeric,
  answers jsonb,
  comment text,
  answered_at timestamptz,
  customer_ref text,
  customer_id uuid,
  company_ref text,
  company_id uuid,
  owner_ref text,
  owner_id uuid,
  custom jsonb,
  source_created_at timestamptz,
  source_updated_at timestamptz,
  deleted_at timestamptz,
  mapping_version text not null,
  updated_at timestamptz not null,
  primary key (tenant_id, stream_id, remote_id)
);
create unique index survey_response_entity on survey_response (tenant_id, entity_id);
create index survey_response_dangling_customer on survey_response (tenant_id, customer_ref) where customer_id is null and customer_ref is not null;
create index survey_response_customer on survey_response (tenant_id, customer_id);
create index survey_response_dangling_company on survey_response (tenant_id, company_ref) where company_id is null and company_ref is not null;
create index survey_response_dangling_owner on survey_response (tenant_id, owner_ref) where owner_id is null and owner_ref is not null;
create index customer_name on customer (tenant_id, lower(name), id);
create index customer_company on customer (tenant_id, company_id) where company_id is not null;
create index owner_email on owner (tenant_id, lower(email));
create index invoice_due on invoice (tenant_id, due_on) where due_on is not null;
create index invoice_open on invoice (tenant_id, customer_id, due_on) where balance > 0;
create index invoice_paid on invoice (tenant_id, paid_on) where paid_on is not null;
create index invoice_number on invoice (tenant_id, number) where number is not null;
create index payment_failed on payment (tenant_id, paid_on) where status = 'failed';
create index activity_customer_at on activity (tenant_id, customer_id, occurred_at);
-- The resolver of identity: a key (e-mail, phone, domain, external id) belongs to one entity at a time.
create table identity_key (
  tenant_id uuid not null,
  kind text not null,
  key text not null,
  entity_id uuid not null,
  primary key (tenant_id, kind, key)
);
create index identity_key_entity on identity_key (tenant_id, entity_id);
-- Joins append here with their evidence; old ids resolve for ever.
create table merge_event (
  tenant_id uuid not null,
  id uuid not null,
  kind text not null,
  survivor_id uuid not null,
  absorbed_id uuid not null,
  evidence jsonb not null,
  decided_by text not null,
  at timestamptz not null,
  undone_at timestamptz,
  primary key (tenant_id, id)
);
create index merge_event_survivor on merge_event (tenant_id, survivor_id);
create table entity_alias (
  tenant_id uuid not null,
  old_id uuid not null,
  entity_id uuid not null,
  primary key (tenant_id, old_id)
);
create index entity_alias_entity on entity_alias (tenant_id, entity_id);
-- Two records that may be the same but must not be joined without a person.
create table merge_suggestion (
  tenant_id uuid not null,
  kind text not null,
  entity_id uuid not null,
  other_id uuid not null,
  reason text not null,
  at timestamptz not null,
  decided_at timestamptz,
  decision text,
  primary key (tenant_id, kind, entity_id, other_id)
);
-- The feed everything downstream reads. Written in the transaction of the fact.
create table change (
  tenant_id uuid not null,
  id uuid not null,
  kind text not null,
  entity_id uuid not null,
  customer_id uuid,
  op text not null,
  fields text[] not null,
  before jsonb,
  after jsonb,
  origin text not null,
  depth smallint not null default 0,
  occurred_at timestamptz not null,
  received_at timestamptz not null,
  processed boolean not null,
  primary key (tenant_id, id)
);
create index change_open on change (tenant_id, id) where not processed;
create index change_entity on change (tenant_id, entity_id, id);
-- Our own writes, so that they are known when they come back.
create table write_ledger (
  tenant_id uuid not null,
  connection_id uuid not null,
  object text not null,
  remote_id text not null,
  field text not null,
  value_hash bytea not null,
  request_id uuid not null,
  depth smallint not null,
  written_at timestamptz not null,
  expires_at timestamptz not null,
  primary key (tenant_id, connection_id, object, remote_id, field)
);
grant select, insert, update, delete on
  contact_projection, customer, company_projection, company, owner, pipeline_stage, deal, ticket, invoice, payment, job, subscription, activity, survey_response, identity_key, merge_event, entity_alias, merge_suggestion, change, write_ledger to rapport_app;
do $$
declare name text;
begin
  foreach name in array array[
    'contact_projection', 'customer', 'company_projection', 'company', 'owner', 'pipeline_stage',
    'deal', 'ticket', 'invoice', 'payment', 'job', 'subscription',
    'activity', 'survey_response', 'identity_key', 'merge_event', 'entity_alias', 'merge_suggestion',
    'change', 'write_ledger'
  ] loop
    execute format('alter table %I enable row level security', name);
    execute format('create policy tenant_rows on %I using (tenant_id = nullif(current_setting(''app.tenant'', true), '''')::uuid)', name);
  end loop;
end $$;
