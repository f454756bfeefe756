-- Up Migration
-- Append-only: the application may insert and read; of an existing row it may only fill the three columns of the seal.
-- Events are written in the transaction they tell of and chained a moment later by one sealer per tenant, so that
-- writers of one tenant do not queue behind each other.
create table audit_event (
  tenant_id uuid not null,
  id uuid not null,
  at timestamptz not null,
  actor text not null,
  action text not null,
  subject_kind text not null,
  subject_id text not null,
  customer_id uuid,
  data jsonb not null,
  seq bigint,
  previous_hash bytea,
  hash bytea,
  primary key (tenant_id, id)
);
create unique index audit_event_chain on audit_event (tenant_id, seq) where seq is not null;
create index audit_event_unsealed on audit_event (tenant_id, id) where seq is null;
create index audit_event_subject on audit_event (tenant_id, subject_kind, subject_id, id);
create index audit_event_customer on audit_event (tenant_id, customer_id, id) where customer_id is not null;
grant select, insert (tenant_id, id, at, actor, action, subject_kind, subject_id, customer_id, data) on audit_event to rapport_app;
grant update (seq, previous_hash, hash) on audit_event to rapport_app;
alter table audit_event enable row level security;
create policy tenant_rows on audit_event for select using (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid);
create policy tenant_adds on audit_event for insert with check (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid);
-- What is sealed stays as it was sealed: only an event without a place in the chain may be given one. (Not a restrictive
-- policy beside one for everything: Citus makes restrictive policies permissive on its workers.)
create policy sealed_once on audit_event for update
  using (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid and seq is null)
  with check (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid);
