-- Up Migration
-- A message that was decided about in shadow and did not go out: it counts for other messages in shadow only.
alter table touch add column shadow boolean not null default false;
-- Who paused an enrolment, so that taking the tag off again lets go on what the tag paused and nothing else.
alter table run add column paused_by text;
create index action_request_shadow on action_request (tenant_id, ended_at, id) where reason = 'shadow';
-- What a platform was last told of where a customer stands: the sequences, and what comes next. One row per record there.
create table progress_written (
  tenant_id uuid not null,
  stream_id uuid not null,
  remote_id text not null,
  -- Native fields it was written to.
  names jsonb not null,
  enrolment text,
  next_step text,
  revision int not null,
  checked_at timestamptz not null,
  primary key (tenant_id, stream_id, remote_id)
);
grant select, insert, update, delete on progress_written to rapport_app;
alter table progress_written enable row level security;
create policy tenant_rows on progress_written using (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid);
