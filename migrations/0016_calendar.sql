-- Up Migration
-- The zone a customer's dates are counted in (IANA, canonical); null: the business's. Written with the golden row.
alter table customer add column local_zone text;
-- How far the calendars of all customers are brought up to date with the business's zone; `after_id` is null when they all are.
create table calendar_pass (
  tenant_id uuid not null,
  zone text not null,
  after_id uuid,
  primary key (tenant_id)
);
-- First and last dates of what happened to customers, derived from their documents: 'active' is anything they did,
-- 'served' a completed job by kind and asset. Whoever went quiet or is due on a day is found by an index here.
create table customer_date (
  tenant_id uuid not null,
  customer_id uuid not null,
  what text not null,
  kind text not null,
  asset text not null,
  first_on date not null,
  first_day text not null,
  last_on date not null,
  primary key (tenant_id, customer_id, what, kind, asset)
);
create index customer_date_last on customer_date (tenant_id, what, last_on);
create index customer_date_first on customer_date (tenant_id, what, first_day);
-- Why a trigger could not be looked for at the last try.
alter table trigger add column problem text;
alter table trigger add column problem_at timestamptz;
-- Changes a trigger failed on: they wait here with the reason, the others went on.
create table trigger_parked (
  tenant_id uuid not null,
  trigger_id uuid not null,
  change_id uuid not null,
  reason text not null,
  parked_at timestamptz not null,
  tries int not null,
  primary key (tenant_id, trigger_id, change_id)
);
create index invoice_unpaid_due on invoice (tenant_id, due_on) where paid_on is null and due_on is not null;
create index job_scheduled on job (tenant_id, scheduled_at) where scheduled_at is not null;
create index subscription_ends on subscription (tenant_id, ends_on) where ends_on is not null;
create index subscription_renews on subscription (tenant_id, renews_on) where renews_on is not null;
create index run_ended on run (tenant_id, sequence_id, ended_at) where ended_at is not null;
create index run_step_entered on run_step (tenant_id, entered_at);
create index change_segment on change (tenant_id, customer_id, id) where kind = 'segment';
grant select, insert, update, delete on calendar_pass, customer_date, trigger_parked to rapport_app;
do $$
declare name text;
begin
  foreach name in array array['calendar_pass', 'customer_date', 'trigger_parked'] loop
    execute format('alter table %I enable row level security', name);
    execute format('create policy tenant_rows on %I using (tenant_id = nullif(current_setting(''app.tenant'', true), '''')::uuid)', name);
  end loop;
end $$;
