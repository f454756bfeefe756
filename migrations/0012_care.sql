-- Up Migration
-- Looking after connections: allowances of a day or a month, keys that still seal something, webhooks that fell silent.

-- A bucket of a long-period allowance counts within the vendor's window instead of refilling.
alter table rate_bucket add column window_start timestamptz;
alter table rate_bucket add column window_end timestamptz;
alter table rate_bucket add column used double precision not null default 0;
alter table rate_bucket add column by_purpose jsonb not null default '{}';
-- What we were told to keep to.
alter table rate_bucket add column allowed double precision;
-- What the vendor says: its limit, what was left when it said so, and our count at that moment.
alter table rate_bucket add column vendor_limit double precision;
alter table rate_bucket add column vendor_left double precision;
alter table rate_bucket add column vendor_used double precision;

-- Calls that reading a stream takes, averaged over its runs: forecasts are made of it.
create table stream_cost (
  tenant_id uuid not null,
  stream_id uuid not null,
  calls_per_poll double precision,
  calls_per_page double precision,
  records_per_page double precision,
  calls_per_second double precision,
  updated_at timestamptz not null,
  primary key (tenant_id, stream_id)
);

-- Master keys that hubs seal with or that something may still be sealed with, by id; the keys themselves are nowhere.
create table sealing_key (
  id text primary key,
  used_at timestamptz not null,
  retired_at timestamptz
);

-- What polls found that webhooks should have announced, since the last post about that kind of record came.
create table hook_watch (
  tenant_id uuid not null,
  connection_id uuid not null,
  stream text not null,
  -- Changes found, in how many polls, and the polls there were since the first.
  missed int not null default 0,
  finds int not null default 0,
  polls int not null default 0,
  -- Time since then, without what a sleeping machine or a moved clock adds.
  waited_seconds double precision not null default 0,
  polled_at timestamptz,
  missed_since timestamptz,
  last_missed_at timestamptz,
  alarm_since timestamptz,
  primary key (tenant_id, connection_id, stream)
);
-- In words, for the health of the connection.
alter table connection add column silent text;
-- For the count of silent connections over all tenants.
alter table account_route add column silent_since timestamptz;

-- Log-ins that failed in a row, by hash of the address, whether there is such an account or not.
create table login_failure (
  email_hash text primary key,
  failures int not null,
  failed_at timestamptz not null,
  locked_until timestamptz
);

grant select, insert, update, delete on stream_cost, sealing_key, hook_watch, login_failure to rapport_app;
do $$
declare name text;
begin
  foreach name in array array['stream_cost', 'hook_watch'] loop
    execute format('alter table %I enable row level security', name);
    execute format('create policy tenant_rows on %I using (tenant_id = nullif(current_setting(''app.tenant'', true), '''')::uuid)', name);
  end loop;
end $$;
