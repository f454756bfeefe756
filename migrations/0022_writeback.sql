-- Up Migration
-- What a platform was last told of a score, one row per record there. The revision goes into the key of the request that
-- carries it: a value that comes back later is another writing, the same one planned twice is not.
create table score_written (
  tenant_id uuid not null,
  stream_id uuid not null,
  remote_id text not null,
  -- Native fields and tags it was written to.
  names jsonb not null,
  score double precision,
  band text,
  vip boolean not null,
  unhappy boolean not null,
  revision int not null,
  written_at timestamptz not null,
  primary key (tenant_id, stream_id, remote_id)
);
grant select, insert, update, delete on score_written to rapport_app;
alter table score_written enable row level security;
create policy tenant_rows on score_written using (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid);
