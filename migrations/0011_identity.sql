-- Up Migration
-- Where a record belongs whatever was merged since: written when a merge first touches it, so that a merge can be
-- taken apart in any order. A record without a row here was never part of a merge.
create table record_home (
  tenant_id uuid not null,
  kind text not null,
  stream_id uuid not null,
  remote_id text not null,
  entity_id uuid not null,
  primary key (tenant_id, kind, stream_id, remote_id)
);
create index record_home_entity on record_home (tenant_id, entity_id);
insert into record_home (tenant_id, kind, stream_id, remote_id, entity_id)
  select distinct on (m.tenant_id, m.kind, r.name) m.tenant_id, m.kind, left(r.name, 36)::uuid, substr(r.name, 38), m.absorbed_id
  from merge_event m cross join lateral jsonb_array_elements_text(m.evidence -> 'records') as r(name)
  where m.undone_at is null order by m.tenant_id, m.kind, r.name, m.at;
-- Two who are not the same: a person said so, or a merge of theirs was undone. Nothing joins them by itself any more;
-- evidence that is not among the keys may be suggested.
create table not_same (
  tenant_id uuid not null,
  kind text not null,
  a_id uuid not null,
  b_id uuid not null,
  keys text[] not null default '{}',
  reason text not null,
  decided_by text not null,
  at timestamptz not null,
  primary key (tenant_id, kind, a_id, b_id)
);
create index not_same_b on not_same (tenant_id, b_id);
create index merge_suggestion_other on merge_suggestion (tenant_id, other_id);
alter table merge_event add column kept jsonb;
alter table merge_event add column undone_by text;
alter table merge_event add column undo_reason text;
alter table merge_suggestion add column id uuid;
alter table merge_suggestion add column key text;
alter table merge_suggestion add column decided_by text;
update merge_suggestion set id = md5(kind || entity_id::text || other_id::text)::uuid where id is null;
create unique index merge_suggestion_id on merge_suggestion (tenant_id, id);
-- A message counted for a person it was not addressed to: it was sent while the two were one.
alter table touch add column copy_of uuid;
create index touch_copy on touch (tenant_id, copy_of) where copy_of is not null;

-- Every write of ours has its own line: a second one can leave before the first comes back.
alter table write_ledger drop constraint write_ledger_pkey;
alter table write_ledger add primary key (tenant_id, connection_id, object, remote_id, field, request_id);
-- The same value after the usual tidying of platforms (case, spaces, digits of a phone number), and as a number.
alter table write_ledger add column loose_hashes bytea[] not null default '{}';
alter table write_ledger add column number numeric;
-- '+' or '-' where one of several values (a tag) was put in or taken out.
alter table write_ledger add column way text;
-- What the platform made of our value.
alter table write_ledger add column learned_hash bytea;
alter table write_ledger add column answered_at timestamptz;
-- When it came back, or was overtaken by another value; from then on the same value is somebody's own.
alter table write_ledger add column seen_at timestamptz;
alter table write_ledger add column flipped_at timestamptz;
create index write_ledger_recent on write_ledger (tenant_id, written_at);
-- A field that somebody sets back each time we write it. Tripped, we stop writing it until a person says go on.
create table write_breaker (
  tenant_id uuid not null,
  id uuid not null,
  connection_id uuid not null,
  object text not null,
  remote_id text not null,
  field text not null,
  flips timestamptz[] not null default '{}',
  tripped_at timestamptz,
  reset_at timestamptz,
  reset_by text,
  updated_at timestamptz not null,
  primary key (tenant_id, connection_id, object, remote_id, field)
);
create unique index write_breaker_id on write_breaker (tenant_id, id);

grant select, insert, update, delete on record_home, not_same, write_breaker to rapport_app;
do $$
declare name text;
begin
  foreach name in array array['record_home', 'not_same', 'write_breaker'] loop
    execute format('alter table %I enable row level security', name);
    execute format('create policy tenant_rows on %I using (tenant_id = nullif(current_setting(''app.tenant'', true), '''')::uuid)', name);
  end loop;
end $$;
