-- Up Migration
-- Bringing stored records through a changed mapping: one row per connection and occasion.
create table remap_run (
  tenant_id uuid not null,
  id uuid not null,
  connector text not null,
  connection_id uuid not null,
  reason text not null check (reason in ('apply', 'rollback', 'release', 'request')),
  -- The override that set it off: its level (nil: all connections of the platform) and version.
  level_id uuid,
  version int,
  -- A rollback takes back what runs of later versions than this one joined.
  back_to int,
  state text not null check (state in ('waiting', 'running', 'done', 'replaced')),
  -- Streams still to be mapped, in order, and the last record done of the first of them.
  streams jsonb not null,
  after text,
  -- State of the mapping this run works with; a newer one begins it again.
  mapping_seq int not null,
  total int not null default 0,
  seen int not null default 0,
  changed int not null default 0,
  parked int not null default 0,
  resolved int not null default 0,
  joined int not null default 0,
  separated int not null default 0,
  failures int not null default 0,
  error text,
  created_by text not null,
  created_at timestamptz not null,
  started_at timestamptz,
  ended_at timestamptz,
  lease_owner text,
  lease_until timestamptz,
  primary key (tenant_id, id)
);
create unique index remap_run_open on remap_run (tenant_id, connection_id) where state in ('waiting', 'running');
-- The day an invoice was seen paid cannot be read from its record again: what a remap replaced stands here.
create table remap_kept (
  tenant_id uuid not null,
  run_id uuid not null,
  stream_id uuid not null,
  remote_id text not null,
  paid_on date,
  primary key (tenant_id, run_id, stream_id, remote_id)
);

-- Counts changes of the mapping; whoever stores records holds the row, so that none is stored by an older mapping.
alter table stream add column mapping_seq int not null default 0;
-- Fingerprint of the platform's own mapping of the stream when it was last looked at: a release may bring another.
alter table stream add column default_version text;
alter table stream add column discovered_at timestamptz;
-- A rollback makes a new version equal to this one.
alter table mapping_override add column restores int;

-- How often fresh records had what the mapping reads.
create table field_tally (
  tenant_id uuid not null,
  stream_id uuid not null,
  path text not null,
  seen int not null default 0,
  present int not null default 0,
  -- Records since the last one that had it.
  missing_for int not null default 0,
  shapes jsonb not null default '{}',
  shape text,
  shape_for int not null default 0,
  primary key (tenant_id, stream_id, path)
);
create table field_drift (
  tenant_id uuid not null,
  id uuid not null,
  connection_id uuid not null,
  stream_id uuid not null,
  kind text not null check (kind in ('gone', 'missing', 'type', 'option', 'new')),
  field text not null,
  message text not null,
  detail jsonb not null,
  found_at timestamptz not null,
  resolved_at timestamptz,
  primary key (tenant_id, id)
);
create unique index field_drift_open on field_drift (tenant_id, stream_id, kind, field) where resolved_at is null;

grant select, insert, update, delete on remap_run, remap_kept, field_tally, field_drift to rapport_app;
do $$
declare name text;
begin
  foreach name in array array['remap_run', 'remap_kept', 'field_tally', 'field_drift'] loop
    execute format('alter table %I enable row level security', name);
    execute format('create policy tenant_rows on %I using (tenant_id = nullif(current_setting(''app.tenant'', true), '''')::uuid)', name);
  end loop;
end $$;
