-- Up Migration
-- What vendors posted to us, as received, before it is known whose it is. Emptied by retention.
create table hook_inbox (
  id uuid primary key,
  connector text not null,
  connection_id uuid,
  dedupe_key text not null,
  method text not null,
  url text not null,
  headers jsonb not null,
  body bytea not null,
  received_at timestamptz not null,
  routed_at timestamptz,
  error text,
  unique (connector, dedupe_key)
);
create index hook_inbox_open on hook_inbox (received_at) where routed_at is null;
create table hook_refusal (
  connector text not null,
  day date not null,
  reason text not null,
  times int not null,
  primary key (connector, day, reason)
);

create table stream (
  tenant_id uuid not null,
  id uuid not null,
  connection_id uuid not null,
  name text not null,
  phase text not null default 'initial' check (phase in ('initial', 'incremental')),
  state text not null default 'waiting' check (state in ('waiting', 'running', 'stopped', 'off')),
  -- Where the next incremental run starts. Only the engine moves it, together with the rows it stands for.
  cursor jsonb not null default '{}',
  -- Where the present run stands; a killed run goes on from here.
  position jsonb,
  run_started_at timestamptz,
  run_seen int not null default 0,
  run_changed int not null default 0,
  total int,
  error text,
  failures int not null default 0,
  last_complete_at timestamptz,
  last_deletes_at timestamptz,
  next_due_at timestamptz,
  lease_owner text,
  lease_until timestamptz,
  mapping_version text,
  primary key (tenant_id, id)
);
create unique index stream_name on stream (tenant_id, connection_id, name);
create index stream_due on stream (tenant_id, next_due_at) where state <> 'off';

create table source_record (
  tenant_id uuid not null,
  stream_id uuid not null,
  remote_id text not null,
  payload jsonb not null,
  hash bytea not null,
  vendor_at timestamptz,
  first_seen_at timestamptz not null,
  changed_at timestamptz not null,
  origin text not null,
  deleted_at timestamptz,
  merged_into text,
  primary key (tenant_id, stream_id, remote_id)
);
create table hint (
  tenant_id uuid not null,
  connection_id uuid not null,
  event_key text not null,
  stream text not null,
  remote_id text not null,
  change text not null,
  payload jsonb,
  vendor_at timestamptz,
  received_at timestamptz not null,
  done_at timestamptz,
  primary key (tenant_id, connection_id, event_key)
);
create index hint_open on hint (tenant_id, connection_id, received_at) where done_at is null;

-- Nothing is dropped: what could not be processed stands here with its reason and can be replayed.
create table parked_item (
  tenant_id uuid not null,
  id uuid not null,
  kind text not null,
  connection_id uuid,
  stream_id uuid,
  remote_id text,
  reference text not null,
  reason text not null,
  detail jsonb not null,
  payload jsonb,
  times int not null default 1,
  parked_at timestamptz not null,
  last_at timestamptz not null,
  resolved_at timestamptz,
  resolution text,
  primary key (tenant_id, id)
);
create unique index parked_item_reference on parked_item (tenant_id, kind, reference) where resolved_at is null;

create table field_definition (
  tenant_id uuid not null,
  stream_id uuid not null,
  name text not null,
  label text not null,
  type text not null,
  options jsonb,
  custom boolean not null,
  first_seen_at timestamptz not null,
  last_seen_at timestamptz not null,
  gone_at timestamptz,
  primary key (tenant_id, stream_id, name)
);
-- Overrides of the platform's mapping: for the tenant (connection_id is nil) or for one connection.
create table mapping_override (
  tenant_id uuid not null,
  connector text not null,
  connection_id uuid not null,
  version int not null,
  mapping jsonb not null,
  created_at timestamptz not null,
  created_by text not null,
  primary key (tenant_id, connector, connection_id, version)
);
create table import_run (
  tenant_id uuid not null,
  id uuid not null,
  connection_id uuid not null,
  object text not null,
  file_name text not null,
  rows_read int not null default 0,
  rows_parked int not null default 0,
  records jsonb not null default '{}',
  state text not null,
  error text,
  started_at timestamptz not null,
  -- End of its last batch: a run without a sign of life has died.
  alive_at timestamptz not null,
  ended_at timestamptz,
  primary key (tenant_id, id)
);
-- Rows of a file that belong together (the lines of one invoice) meet here, not in memory.
create unlogged table import_row (
  tenant_id uuid not null,
  import_id uuid not null,
  object text not null,
  group_key text not null,
  line int not null,
  data jsonb not null,
  primary key (tenant_id, import_id, object, group_key, line)
);

grant select, insert, update, delete on
  hook_inbox, hook_refusal, stream, source_record, hint, parked_item, field_definition, mapping_override, import_run, import_row to rapport_app;
do $$
declare name text;
begin
  foreach name in array array['stream', 'source_record', 'hint', 'parked_item', 'field_definition', 'mapping_override', 'import_run', 'import_row'] loop
    execute format('alter table %I enable row level security', name);
    execute format('create policy tenant_rows on %I using (tenant_id = nullif(current_setting(''app.tenant'', true), '''')::uuid)', name);
  end loop;
end $$;
