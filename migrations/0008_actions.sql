-- Up Migration
-- An action is a record with a life. Its unique key makes it happen once; its id is the idempotency key at the vendor.
create table action_request (
  tenant_id uuid not null,
  id uuid not null,
  run_id uuid,
  step_id text,
  visit int,
  escalation_id uuid,
  idempotency_key text,
  kind text not null,
  channel text not null,
  recipient text not null,
  class text not null check (class in ('transactional', 'marketing', 'internal')),
  topic text,
  priority int not null default 0,
  customer_id uuid,
  connection_id uuid,
  -- What was asked for; `content` is what the gate froze for sending.
  plan jsonb not null,
  content jsonb,
  state text not null check (state in ('planned', 'committed', 'sending', 'sent', 'failed', 'skipped', 'unknown')),
  -- Why it is where it is: a skip, hold or defer reason, or the vendor's refusal in words.
  reason text,
  reason_detail text,
  held boolean not null default false,
  not_before timestamptz not null,
  stale_after timestamptz,
  lease_owner text,
  lease_until timestamptz,
  attempts int not null default 0,
  native_id text,
  native_url text,
  native_state text,
  native_state_at timestamptz,
  depth smallint not null default 0,
  created_by text not null,
  created_at timestamptz not null,
  committed_at timestamptz,
  ended_at timestamptz,
  updated_at timestamptz not null,
  version int not null default 1,
  primary key (tenant_id, id)
);
create unique index action_request_once on action_request (tenant_id, run_id, step_id, visit, channel, recipient) where run_id is not null;
create unique index action_request_escalation on action_request (tenant_id, escalation_id, step_id, visit, channel, recipient) where escalation_id is not null;
create unique index action_request_key on action_request (tenant_id, idempotency_key) where idempotency_key is not null;
create index action_request_due on action_request (tenant_id, not_before) where state in ('planned', 'committed');
create index action_request_sending on action_request (tenant_id, lease_until) where state = 'sending';
create index action_request_unknown on action_request (tenant_id, updated_at) where state = 'unknown';
create index action_request_customer on action_request (tenant_id, customer_id, id);
create index action_request_run on action_request (tenant_id, run_id) where run_id is not null;
create index action_request_native on action_request (tenant_id, connection_id, native_id) where native_id is not null;
create table action_attempt (
  tenant_id uuid not null,
  request_id uuid not null,
  number int not null,
  started_at timestamptz not null,
  ended_at timestamptz,
  outcome text,
  status int,
  error_kind text,
  message text,
  primary key (tenant_id, request_id, number)
);
-- Off switches read at the gate: the tenant (all), one sequence (sequence:key) or one channel (channel:sms).
create table kill_switch (
  tenant_id uuid not null,
  scope text not null,
  reason text not null,
  set_by text not null,
  set_at timestamptz not null,
  primary key (tenant_id, scope)
);

grant select, insert, update, delete on action_request, action_attempt, kill_switch to rapport_app;
do $$
declare name text;
begin
  foreach name in array array['action_request', 'action_attempt', 'kill_switch'] loop
    execute format('alter table %I enable row level security', name);
    execute format('create policy tenant_rows on %I using (tenant_id = nullif(current_setting(''app.tenant'', true), '''')::uuid)', name);
  end loop;
end $$;
