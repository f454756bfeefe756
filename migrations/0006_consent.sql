-- Up Migration
-- The present choice per person, channel and topic ('*' = all). The history is in consent_event and never edited.
create table consent (
  tenant_id uuid not null,
  customer_id uuid not null,
  channel text not null,
  topic text not null,
  state text not null check (state in ('granted', 'denied')),
  basis text not null,
  source text not null,
  evidence jsonb not null,
  recorded_at timestamptz not null,
  expires_at timestamptz,
  primary key (tenant_id, customer_id, channel, topic)
);
create table consent_event (
  tenant_id uuid not null,
  id uuid not null,
  customer_id uuid not null,
  channel text not null,
  topic text not null,
  state text not null,
  basis text not null,
  source text not null,
  evidence jsonb not null,
  recorded_at timestamptz not null,
  primary key (tenant_id, id)
);
create index consent_event_customer on consent_event (tenant_id, customer_id, id);
-- Addresses nothing may be sent to, as keyed hashes: they outlive the erasure of the person.
create table suppression (
  tenant_id uuid not null,
  channel text not null,
  address_hash bytea not null,
  scope text not null check (scope in ('all', 'marketing')),
  reason text not null,
  source text not null,
  evidence jsonb not null,
  created_at timestamptz not null,
  lifted_at timestamptz,
  primary key (tenant_id, channel, address_hash)
);
-- The lock that a send and an opt-out both take: one row per person, household or company.
create table contact_guard (
  tenant_id uuid not null,
  subject_id uuid not null,
  primary key (tenant_id, subject_id)
);
-- Every message that left or is about to leave, for frequency caps; taken back on a definite failure.
create table touch (
  tenant_id uuid not null,
  request_id uuid not null,
  customer_id uuid not null,
  company_id uuid,
  channel text not null,
  class text not null,
  at timestamptz not null,
  primary key (tenant_id, request_id)
);
create index touch_customer on touch (tenant_id, customer_id, at);
create index touch_company on touch (tenant_id, company_id, at) where company_id is not null;

grant select, insert, update, delete on consent, suppression, contact_guard, touch to rapport_app;
grant select, insert, delete on consent_event to rapport_app;
do $$
declare name text;
begin
  foreach name in array array['consent', 'consent_event', 'suppression', 'contact_guard', 'touch'] loop
    execute format('alter table %I enable row level security', name);
    execute format('create policy tenant_rows on %I using (tenant_id = nullif(current_setting(''app.tenant'', true), '''')::uuid)', name);
  end loop;
end $$;
