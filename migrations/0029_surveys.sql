-- Up Migration
create table survey (
  tenant_id uuid not null,
  id uuid not null,
  key text not null,
  state text not null check (state in ('open', 'closed')),
  latest_version int not null,
  created_at timestamptz not null,
  created_by text not null,
  updated_at timestamptz not null,
  version int not null default 1,
  primary key (tenant_id, id)
);
create unique index survey_key on survey (tenant_id, key);
create table survey_version (
  tenant_id uuid not null,
  survey_id uuid not null,
  number int not null,
  definition jsonb not null,
  created_at timestamptz not null,
  created_by text not null,
  primary key (tenant_id, survey_id, number)
);
-- One person, asked once. What they gave stands here from the first page on; handed in, it is a survey_response too.
create table survey_invitation (
  tenant_id uuid not null,
  id uuid not null,
  survey_id uuid not null,
  -- The version of the survey they were asked with.
  number int not null,
  customer_id uuid not null,
  -- The record that was invited, as references name it: it stays the same person through merges and their undoing.
  customer_ref text,
  -- The step that invites; null: by hand or over the API.
  run_id uuid,
  step_id text,
  visit int,
  state text not null check (state in ('open', 'started', 'answered')),
  answers jsonb not null default '{}',
  score numeric,
  started_at timestamptz,
  answered_at timestamptz,
  -- Handed in by the person, or counted because the days were over.
  completed_by text check (completed_by in ('person', 'time')),
  -- When what was given counts though it was not handed in.
  counts_at timestamptz,
  created_at timestamptz not null,
  created_by text not null,
  updated_at timestamptz not null,
  primary key (tenant_id, id)
);
create unique index survey_invitation_step on survey_invitation (tenant_id, run_id, step_id, visit) where run_id is not null;
create index survey_invitation_answered on survey_invitation (tenant_id, survey_id, answered_at) where answered_at is not null;
create index survey_invitation_survey on survey_invitation (tenant_id, survey_id, id);
create index survey_invitation_customer on survey_invitation (tenant_id, customer_id);
create index survey_invitation_counts on survey_invitation (tenant_id, counts_at) where state = 'started' and counts_at is not null;
grant select, insert, update, delete on survey, survey_version, survey_invitation to rapport_app;
do $$
declare name text;
begin
  foreach name in array array['survey', 'survey_version', 'survey_invitation'] loop
    execute format('alter table %I enable row level security', name);
    execute format('create policy tenant_rows on %I using (tenant_id = nullif(current_setting(''app.tenant'', true), '''')::uuid)', name);
  end loop;
end $$;
