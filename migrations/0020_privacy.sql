-- Up Migration
-- Birthdays, of which the year is often not known; what is set by hand; and the person's right to be forgotten.

-- 'YYYY-MM-DD', or '--MM-DD' where the year is not known.
alter table contact_projection alter column birthday type text using to_char(birthday, 'YYYY-MM-DD');
alter table customer alter column birthday type text using to_char(birthday, 'YYYY-MM-DD');
-- Whose birthday a day is, whatever the year.
create index customer_birthday on customer (tenant_id, right(birthday, 5)) where birthday is not null;

-- What a person set by hand for a customer: it counts before every platform until it is taken back. Rows stay with the
-- id they were set for, so that they go with it when customers are joined and taken apart.
create table field_override (
  tenant_id uuid not null,
  customer_id uuid not null,
  field text not null,
  value text not null,
  -- Who knows it: the customer, or staff.
  source text not null check (source in ('customer', 'staff')),
  set_by text not null,
  note text,
  set_at timestamptz not null,
  primary key (tenant_id, customer_id, field)
);

-- A person was erased: who asked for it, what was done table by table, and what could not be reached.
create table erasure (
  tenant_id uuid not null,
  id uuid not null,
  customer_id uuid not null,
  -- One of the grounds of article 17 (1): what somebody writes freely could name the person again.
  ground text not null,
  requested_by text not null,
  requested_at timestamptz not null,
  state text not null check (state in ('running', 'done')),
  step int not null default 0,
  -- Ids, records and addresses to look for; gone as soon as it is done.
  scope jsonb,
  rows jsonb not null default '{}',
  -- Keyed hashes of the person's addresses, in hex.
  hashes text[] not null,
  out_of_reach jsonb not null default '[]',
  done_at timestamptz,
  lifted_at timestamptz,
  lifted_by text,
  primary key (tenant_id, id)
);
create index erasure_customer on erasure (tenant_id, customer_id);
create index erasure_open on erasure (tenant_id, requested_at) where state = 'running';
-- What a platform still sends of an erased person is not taken: keyed hashes of their records and addresses.
create table erasure_block (
  tenant_id uuid not null,
  hash bytea not null,
  erasure_id uuid not null,
  kind text not null check (kind in ('record', 'address')),
  created_at timestamptz not null,
  -- How often it came back, and when last.
  hits int not null default 0,
  last_at timestamptz,
  primary key (tenant_id, hash)
);
create index erasure_block_erasure on erasure_block (tenant_id, erasure_id);

-- Bodies of audit events can be taken out without breaking the chain: its hash covers a digest of the body, which stays.
-- Events sealed before this column came cover the body itself; when it is taken out, their hash stands in the event that
-- tells of it.
alter table audit_event add column data_digest bytea;
-- The audit event that tells that the body was taken out.
alter table audit_event add column redacted_by uuid;
grant update (data_digest) on audit_event to rapport_app;
-- The only way the application can change a sealed event: its body goes, as a whole, and it is noted why.
create function redact_audit(tenant uuid, events uuid[], told_by uuid) returns bigint
  language plpgsql security definer set search_path = public, pg_temp as $$
declare
  done bigint;
begin
  if tenant is distinct from nullif(current_setting('app.tenant', true), '')::uuid then
    raise exception 'a business can only redact its own audit trail';
  end if;
  update audit_event set data = '{"erased": true}', redacted_by = told_by
    where tenant_id = tenant and id = any(events) and seq is not null and redacted_by is null;
  get diagnostics done = row_count;
  return done;
end $$;
revoke all on function redact_audit(uuid, uuid[], uuid) from public;
grant execute on function redact_audit(uuid, uuid[], uuid) to rapport_app;

grant select, insert, update, delete on field_override, erasure, erasure_block to rapport_app;
do $$
declare name text;
begin
  foreach name in array array['field_override', 'erasure', 'erasure_block'] loop
    execute format('alter table %I enable row level security', name);
    execute format('create policy tenant_rows on %I using (tenant_id = nullif(current_setting(''app.tenant'', true), '''')::uuid)', name);
  end loop;
end $$;
insert into tenant_due (tenant_id, kind, next_due, look_at) select id, 'erase', 'infinity', '-infinity' from tenant on conflict do nothing;
