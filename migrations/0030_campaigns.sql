-- Up Migration
-- A sequence aimed at people, a few at a time.
create table campaign (
  tenant_id uuid not null,
  id uuid not null,
  key text not null,
  title text not null,
  sequence_id uuid not null,
  -- {"segment": id}, {"condition": ...} or {"customers": [ids]}.
  audience jsonb not null,
  -- {"mode": "from_now"}, or {"mode": "as_if", "date": which date of theirs}; "step": where to begin.
  entry jsonb not null,
  -- Who comes into the segment later joins.
  open boolean not null,
  -- What is not said is in the settings.
  per_hour int,
  percent_per_day numeric,
  holdout_percent numeric not null,
  starts_at timestamptz,
  ends_at timestamptz,
  state text not null check (state in ('draft', 'running', 'paused', 'done', 'stopped')),
  -- Why it is in that state.
  reason text,
  -- At the start: how many of the list a day.
  per_day int,
  started_at timestamptz,
  started_by text,
  -- Until when the segment was looked at for people who came later.
  joined_until timestamptz,
  created_at timestamptz not null,
  created_by text not null,
  updated_at timestamptz not null,
  version int not null default 1,
  primary key (tenant_id, id)
);
create unique index campaign_key on campaign (tenant_id, key);
create index campaign_running on campaign (tenant_id, starts_at) where state = 'running';
create table campaign_member (
  tenant_id uuid not null,
  campaign_id uuid not null,
  customer_id uuid not null,
  state text not null check (state in ('waiting', 'entered', 'held_out', 'refused', 'removed')),
  -- Left out on purpose, to compare with; known from the start.
  held_out boolean not null,
  -- Came after the start: counts for the hour, not for the day's share of the list.
  later boolean not null,
  -- In which order they enter.
  place int not null,
  due_at timestamptz,
  -- When their turn came, of whatever state: both sides of a comparison are counted from it.
  entered_at timestamptz,
  start_on date,
  step_id text,
  run_id uuid,
  -- Of who did not enter: a word, and it in words.
  reason text,
  detail text,
  updated_at timestamptz not null,
  version int not null default 1,
  primary key (tenant_id, campaign_id, customer_id)
);
create index campaign_member_due on campaign_member (tenant_id, campaign_id, due_at) where state = 'waiting';
create index campaign_member_entered on campaign_member (tenant_id, campaign_id, entered_at) where entered_at is not null;
create index campaign_member_customer on campaign_member (tenant_id, customer_id);

-- Messages of sequences that left, or failed to: what breakers count and facts are credited to.
create table sequence_send (
  tenant_id uuid not null,
  request_id uuid not null,
  sequence_id uuid not null,
  campaign_id uuid,
  run_id uuid not null,
  step_id text not null,
  customer_id uuid not null,
  channel text not null,
  sent boolean not null,
  at timestamptz not null,
  -- The worst that is known of it.
  trouble text check (trouble in ('failure', 'bounce', 'stop', 'complaint')),
  trouble_at timestamptz,
  primary key (tenant_id, request_id)
);
create index sequence_send_sequence on sequence_send (tenant_id, sequence_id, at);
create index sequence_send_campaign on sequence_send (tenant_id, campaign_id, at) where campaign_id is not null;
create index sequence_send_customer on sequence_send (tenant_id, customer_id, at);

-- What stops a sequence or campaign by itself. The row is the lock under which outcomes are counted.
create table send_breaker (
  tenant_id uuid not null,
  -- 'sequence:<id>' or 'campaign:<id>'.
  scope text not null,
  -- What lies before does not count: somebody looked at it and let it go on.
  counted_from timestamptz,
  tripped_at timestamptz,
  reason text,
  figures jsonb,
  version int not null default 1,
  primary key (tenant_id, scope)
);

-- Answers, bookings and payments after a message: each once for a sequence, to the last message before it.
create table credit (
  tenant_id uuid not null,
  sequence_id uuid not null,
  fact text not null check (fact in ('answer', 'booking', 'payment')),
  fact_id uuid not null,
  customer_id uuid not null,
  request_id uuid not null,
  campaign_id uuid,
  run_id uuid not null,
  step_id text not null,
  -- No other sequence wrote to the customer after this one and before the fact.
  last_touch boolean not null,
  amount numeric,
  currency text,
  at timestamptz not null,
  primary key (tenant_id, sequence_id, fact, fact_id)
);
create index credit_customer on credit (tenant_id, customer_id);
create index credit_campaign on credit (tenant_id, campaign_id) where campaign_id is not null;

grant select, insert, update, delete on campaign, campaign_member, sequence_send, send_breaker, credit to rapport_app;
do $$
declare name text;
begin
  foreach name in array array['campaign', 'campaign_member', 'sequence_send', 'send_breaker', 'credit'] loop
    execute format('alter table %I enable row level security', name);
    execute format('create policy tenant_rows on %I using (tenant_id = nullif(current_setting(''app.tenant'', true), '''')::uuid)', name);
  end loop;
end $$;
