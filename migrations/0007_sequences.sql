-- Up Migration
create table trigger (
  tenant_id uuid not null,
  id uuid not null,
  name text not null,
  title text not null,
  settings jsonb not null,
  sequence_id uuid,
  enabled boolean not null,
  enabled_at timestamptz,
  checked_on date,
  created_at timestamptz not null,
  updated_at timestamptz not null,
  version int not null default 1,
  primary key (tenant_id, id)
);
create index trigger_enabled on trigger (tenant_id, name) where enabled;
-- It fired. The unique key makes it fire once.
create table occurrence (
  tenant_id uuid not null,
  id uuid not null,
  trigger_id uuid not null,
  trigger_name text not null,
  business_key text not null,
  subject_kind text not null,
  subject_id text not null,
  subject_label text not null,
  customer_id uuid,
  occurred_on date not null,
  occurred_at timestamptz not null,
  detected_at timestamptz not null,
  data jsonb not null,
  outcome text not null,
  run_id uuid,
  depth smallint not null default 0,
  primary key (tenant_id, id)
);
create unique index occurrence_once on occurrence (tenant_id, trigger_id, business_key);
create index occurrence_customer on occurrence (tenant_id, customer_id, id);
create index occurrence_name on occurrence (tenant_id, trigger_name, occurred_on);

create table sequence (
  tenant_id uuid not null,
  id uuid not null,
  key text not null,
  title text not null,
  state text not null check (state in ('draft', 'active', 'paused', 'archived')),
  active_version int,
  latest_version int not null,
  playbook text,
  created_at timestamptz not null,
  updated_at timestamptz not null,
  version int not null default 1,
  primary key (tenant_id, id)
);
create unique index sequence_key on sequence (tenant_id, key);
create table sequence_version (
  tenant_id uuid not null,
  sequence_id uuid not null,
  number int not null,
  definition jsonb not null,
  created_at timestamptz not null,
  created_by text not null,
  primary key (tenant_id, sequence_id, number)
);
create table template (
  tenant_id uuid not null,
  key text not null,
  channel text not null,
  locale text not null,
  subject text,
  body text not null,
  native jsonb,
  updated_at timestamptz not null,
  updated_by text not null,
  version int not null default 1,
  primary key (tenant_id, key, channel, locale)
);

-- One customer inside a sequence. This row is the truth; the queue only wakes.
create table run (
  tenant_id uuid not null,
  id uuid not null,
  sequence_id uuid not null,
  version int not null,
  customer_id uuid not null,
  business_key text not null,
  ordinal int not null,
  state text not null check (state in ('active', 'waiting', 'paused', 'done', 'exited', 'stopped')),
  step_id text not null,
  visit int not null default 1,
  wake_at timestamptz,
  waiting_for text,
  start_on date not null,
  zone text not null,
  cause jsonb not null,
  depth smallint not null default 0,
  started_at timestamptz not null,
  updated_at timestamptz not null,
  ended_at timestamptz,
  end_reason text,
  shadow boolean not null default false,
  row_version int not null default 1,
  primary key (tenant_id, id)
);
create unique index run_ordinal on run (tenant_id, sequence_id, customer_id, business_key, ordinal);
create unique index run_one_active on run (tenant_id, sequence_id, customer_id, business_key) where state in ('active', 'waiting', 'paused');
create index run_due on run (tenant_id, wake_at) where state = 'waiting' and wake_at is not null;
create index run_customer on run (tenant_id, customer_id, id);
create table run_step (
  tenant_id uuid not null,
  run_id uuid not null,
  step_id text not null,
  visit int not null,
  entered_at timestamptz not null,
  left_at timestamptz,
  outcome text,
  detail text,
  primary key (tenant_id, run_id, step_id, visit)
);

create table staff (
  tenant_id uuid not null,
  id uuid not null,
  email text not null,
  name text not null,
  deputy_id uuid,
  roles text[] not null,
  zone text,
  working_hours jsonb,
  absent_until date,
  departed_on date,
  updated_at timestamptz not null,
  version int not null default 1,
  primary key (tenant_id, id)
);
create unique index staff_email on staff (tenant_id, email);
create table escalation (
  tenant_id uuid not null,
  id uuid not null,
  run_id uuid,
  customer_id uuid not null,
  step_id text not null,
  plan jsonb not null,
  level int not null,
  assignee jsonb,
  state text not null check (state in ('open', 'acknowledged', 'closed')),
  next_at timestamptz,
  opened_at timestamptz not null,
  acknowledged_at timestamptz,
  acknowledged_by text,
  closed_reason text,
  version int not null default 1,
  primary key (tenant_id, id)
);
create unique index escalation_run on escalation (tenant_id, run_id, step_id) where run_id is not null;
create index escalation_due on escalation (tenant_id, next_at) where state = 'open';
-- A promise to pay or a dispute: the chase pauses, with an end and an owner.
create table receivable_hold (
  tenant_id uuid not null,
  id uuid not null,
  customer_id uuid not null,
  kind text not null check (kind in ('promise', 'dispute')),
  amount numeric,
  promised_on date,
  until_on date not null,
  owner text not null,
  note text,
  created_by text not null,
  created_at timestamptz not null,
  closed_at timestamptz,
  closed_by text,
  outcome text,
  version int not null default 1,
  primary key (tenant_id, id)
);
create index receivable_hold_open on receivable_hold (tenant_id, customer_id) where closed_at is null;

grant select, insert, update, delete on
  trigger, occurrence, sequence, sequence_version, template, run, run_step, staff, escalation, receivable_hold to rapport_app;
do $$
declare name text;
begin
  foreach name in array array[
    'trigger', 'occurrence', 'sequence', 'sequence_version', 'template', 'run', 'run_step', 'staff', 'escalation', 'receivable_hold'
  ] loop
    execute format('alter table %I enable row level security', name);
    execute format('create policy tenant_rows on %I using (tenant_id = nullif(current_setting(''app.tenant'', true), '''')::uuid)', name);
  end loop;
end $$;
