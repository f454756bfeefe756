-- Up Migration
-- A living record that a proven pass over everything did not meet stands in quarantine: since when, and for how many passes.
alter table source_record add column missing_since timestamptz, add column missing_passes smallint;
create index source_record_missing on source_record (tenant_id, stream_id) where missing_since is not null;
-- When everything is read again to notice what is gone, and when the platform is compared with what is stored.
alter table stream add column sweep_due_at timestamptz, add column verify_due_at timestamptz;
-- Streams that were read before this was written.
update stream set sweep_due_at = last_complete_at + interval '7 days', verify_due_at = last_complete_at + interval '7 days'
  where phase = 'incremental' and state <> 'off';
-- What waits for a person's decision, in words.
alter table connection add column waiting text;

-- A reading of everything, or a comparison by counts. It proves something only when it ended as proven.
create table stream_pass (
  tenant_id uuid not null,
  id uuid not null,
  stream_id uuid not null,
  -- load: the first reading, which later ones are measured by.
  kind text not null check (kind in ('load', 'sweep', 'verify')),
  method text not null check (method in ('list', 'counts', 'none')),
  state text not null check (state in ('reading', 'asking', 'proven', 'unproven', 'failed')),
  started_at timestamptz not null,
  -- Moment of its last step: a clock that was set back is noticed by it.
  last_at timestamptz not null,
  ended_at timestamptz,
  position jsonb,
  -- Whose account, with which permissions and settings it was read.
  scope jsonb not null,
  counted int,
  pages int not null default 0,
  -- Ids noted in pass_seen: that table is emptied by a crash of the database, which shows by this.
  marked int not null default 0,
  reasons jsonb not null default '[]',
  result jsonb not null default '{}',
  error text,
  failures int not null default 0,
  lease_owner text,
  lease_until timestamptz,
  primary key (tenant_id, id)
);
create unique index stream_pass_running on stream_pass (tenant_id, stream_id) where ended_at is null;
create index stream_pass_ended on stream_pass (tenant_id, stream_id, started_at);
create unlogged table pass_seen (
  tenant_id uuid not null,
  pass_id uuid not null,
  remote_id text not null,
  primary key (tenant_id, pass_id, remote_id)
);

-- Records deleted together, for one cause: what can be held back, confirmed and undone.
create table deletion_batch (
  tenant_id uuid not null,
  id uuid not null,
  connection_id uuid not null,
  stream_id uuid not null,
  cause text not null check (cause in ('flag', 'tombstones', 'webhook', 'refetch', 'sweep', 'privacy')),
  state text not null check (state in ('held', 'confirmed', 'refused', 'applied', 'undoing', 'undone', 'lapsed')),
  evidence jsonb not null,
  records int not null,
  -- How many records there were, and how many may go at once, when it was held.
  living int,
  allowed int,
  created_at timestamptz not null,
  decided_at timestamptz,
  decided_by text,
  done_at timestamptz,
  undone_at timestamptz,
  undone_by text,
  primary key (tenant_id, id)
);
create index deletion_batch_stream on deletion_batch (tenant_id, stream_id, created_at);
create index deletion_batch_open on deletion_batch (tenant_id, connection_id) where state in ('held', 'confirmed', 'undoing');
create table deletion (
  tenant_id uuid not null,
  batch_id uuid not null,
  stream_id uuid not null,
  remote_id text not null,
  -- gathered: flagged on a page of a reading that is not at its end, which judges them together (batch_id is the stream).
  -- refused and restored: a person wants it kept; it stays until the platform shows it again and deletes it anew.
  -- What the platform sent with the flag.
  payload jsonb,
  vendor_at timestamptz,
  state text not null check (state in ('gathered', 'held', 'deleted', 'refused', 'restored', 'seen')),
  primary key (tenant_id, batch_id, remote_id)
);
create index deletion_sparing on deletion (tenant_id, stream_id, remote_id) where state in ('gathered', 'held', 'refused', 'restored');

grant select, insert, update, delete on stream_pass, pass_seen, deletion_batch, deletion to rapport_app;
do $$
declare name text;
begin
  foreach name in array array['stream_pass', 'pass_seen', 'deletion_batch', 'deletion'] loop
    execute format('alter table %I enable row level security', name);
    execute format('create policy tenant_rows on %I using (tenant_id = nullif(current_setting(''app.tenant'', true), '''')::uuid)', name);
  end loop;
end $$;
