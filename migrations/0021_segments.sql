-- Up Migration
create table segment (
  tenant_id uuid not null,
  id uuid not null,
  name text not null,
  condition jsonb not null,
  -- A change of membership must last so long before it counts.
  settle_minutes int not null,
  -- It belongs to a trigger of its own condition and is not listed.
  trigger_id uuid,
  -- Whether time alone changes who is in it.
  timed boolean not null,
  size int,
  -- When everybody was looked at for the present condition; null: not yet.
  evaluated_at timestamptz,
  -- Until when the turns of days were looked at.
  swept_at timestamptz,
  -- Why it could not be evaluated, in words.
  problem text,
  created_at timestamptz not null,
  created_by text not null,
  updated_at timestamptz not null,
  version int not null default 1,
  primary key (tenant_id, id)
);
create unique index segment_name on segment (tenant_id, lower(name)) where trigger_id is null;
-- Who was in it from when to when.
create table segment_member (
  tenant_id uuid not null,
  segment_id uuid not null,
  customer_id uuid not null,
  entered_at timestamptz not null,
  left_at timestamptz,
  primary key (tenant_id, segment_id, customer_id, entered_at)
);
create unique index segment_member_present on segment_member (tenant_id, segment_id, customer_id) where left_at is null;
create index segment_member_customer on segment_member (tenant_id, customer_id, entered_at);
create index segment_member_entered on segment_member (tenant_id, segment_id, entered_at);
-- Changes of membership that have not lasted long enough yet.
create table segment_pending (
  tenant_id uuid not null,
  segment_id uuid not null,
  customer_id uuid not null,
  inside boolean not null,
  depth smallint not null,
  due_at timestamptz not null,
  primary key (tenant_id, segment_id, customer_id)
);
create index segment_pending_due on segment_pending (tenant_id, due_at);
grant select, insert, update, delete on segment, segment_member, segment_pending to rapport_app;
do $$
declare name text;
begin
  foreach name in array array['segment', 'segment_member', 'segment_pending'] loop
    execute format('alter table %I enable row level security', name);
    execute format('create policy tenant_rows on %I using (tenant_id = nullif(current_setting(''app.tenant'', true), '''')::uuid)', name);
  end loop;
end $$;
