-- Up Migration
-- The relationship score as it stands, one row per customer; written by the daily pass and when something changes, and
-- only when a value differs. Nearly every row changes each day (time passes), so pages keep room for the second copy:
-- no index has to be touched by it.
create table customer_score (
  tenant_id uuid not null,
  customer_id uuid not null,
  -- 0 to 100; null for who is not scored, `reason` says why.
  score double precision,
  band text,
  vip boolean not null,
  unhappy boolean not null,
  unhappy_reason text,
  unhappy_since date,
  reason text,
  -- The tenant's day these values are of. A later day without a change has the same ones.
  day date not null,
  -- What went in: dates stay dates, so that any later day can be computed from them.
  last_job_on date,
  spend double precision,
  jobs int,
  answer double precision,
  answered_on date,
  delivered int,
  hits int,
  opens int,
  -- What came of it, 0 to 100 and not rounded; null where no source tells.
  recency double precision,
  spending double precision,
  frequency double precision,
  sentiment double precision,
  engagement double precision,
  formula smallint not null,
  rules int not null,
  yardstick int not null,
  updated_at timestamptz not null,
  primary key (tenant_id, customer_id)
) with (fillfactor = 50);
-- The same by day, written only when what went in or what follows from it (band, VIP, unhappy) changed.
create table score_history (
  tenant_id uuid not null,
  customer_id uuid not null,
  day date not null,
  score double precision,
  band text,
  vip boolean not null,
  unhappy boolean not null,
  unhappy_reason text,
  unhappy_since date,
  reason text,
  last_job_on date,
  spend double precision,
  jobs int,
  answer double precision,
  answered_on date,
  delivered int,
  hits int,
  opens int,
  recency double precision,
  spending double precision,
  frequency double precision,
  sentiment double precision,
  engagement double precision,
  formula smallint not null,
  rules int not null,
  yardstick int not null,
  primary key (tenant_id, customer_id, day)
);
-- Versions of what is the same for everybody: weights, targets, bands, which sources there are.
create table score_rules (
  tenant_id uuid not null,
  version int not null,
  formula smallint not null,
  settings jsonb not null,
  -- Kinds of facts something has ever delivered: jobs, payments, invoices, surveys, messages.
  sources text[] not null,
  -- Sources that fell silent, with the day their last values are of.
  kept jsonb not null,
  made_on date not null,
  made_at timestamptz not null,
  primary key (tenant_id, version)
);
-- Versions of the yardstick of spend, frozen for a month.
create table score_yardstick (
  tenant_id uuid not null,
  version int not null,
  month date not null,
  -- payers: the 90th percentile among them; configured: there were fewer than 20.
  kind text not null check (kind in ('payers', 'configured')),
  payers int not null,
  target double precision not null,
  -- 101 of them, from the least to the most a paying customer has paid.
  quantiles double precision[],
  made_on date not null,
  made_at timestamptz not null,
  primary key (tenant_id, version)
);
-- How far the passes are.
create table score_state (
  tenant_id uuid not null,
  passed_on date not null,
  passed_at timestamptz not null,
  -- Streams that had been read once and files that had been imported when it passed: a history may have come in since.
  streams_read int not null,
  customers int not null,
  rules int not null,
  yardstick int not null,
  primary key (tenant_id)
);
-- What people decided about a customer.
create table customer_standing (
  tenant_id uuid not null,
  customer_id uuid not null,
  -- Pinned as VIP or as none; null: by the rule.
  vip boolean,
  vip_by text,
  vip_at timestamptz,
  -- Answers and complaints up to this moment do not count as unhappy any more.
  cleared_at timestamptz,
  cleared_by text,
  cleared_reason text,
  version int not null default 1,
  primary key (tenant_id, customer_id)
);
-- What came of each message to a customer. `machine`: what opened or clicked it was no person.
create table message_engagement (
  tenant_id uuid not null,
  key text not null,
  customer_id uuid not null,
  channel text not null,
  delivered_at timestamptz,
  opened_at timestamptz,
  clicked_at timestamptz,
  replied_at timestamptz,
  machine boolean not null default false,
  primary key (tenant_id, key)
);
create index message_engagement_customer on message_engagement (tenant_id, customer_id, delivered_at);
create index message_engagement_delivered on message_engagement (tenant_id, delivered_at);
grant select, insert, update, delete on
  customer_score, score_history, score_rules, score_yardstick, score_state, customer_standing, message_engagement to rapport_app;
do $$
declare name text;
begin
  foreach name in array array[
    'customer_score', 'score_history', 'score_rules', 'score_yardstick', 'score_state', 'customer_standing', 'message_engagement'
  ] loop
    execute format('alter table %I enable row level security', name);
    execute format('create policy tenant_rows on %I using (tenant_id = nullif(current_setting(''app.tenant'', true), '''')::uuid)', name);
  end loop;
end $$;
-- Businesses that are here already are looked at, too.
insert into tenant_due (tenant_id, kind, next_due, look_at) select id, 'score', '-infinity', '-infinity' from tenant on conflict do nothing;
