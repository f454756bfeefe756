-- Up Migration
-- Which tenants connected a vendor account: webhooks name the account, not the tenant.
create table account_route (
  connector text not null,
  account_id text not null,
  tenant_id uuid not null,
  connection_id uuid not null,
  primary key (connector, account_id, tenant_id, connection_id)
);
create index account_route_connection on account_route (connection_id);
create table oauth_state (
  state_hash text primary key,
  tenant_id uuid not null,
  connector text not null,
  connection_id uuid,
  features text[] not null,
  settings jsonb not null,
  verifier bytea not null,
  browser_hash text,
  created_by text not null,
  return_to text,
  expires_at timestamptz not null,
  used_at timestamptz,
  outcome jsonb
);
-- Token buckets shared by all processes. Some scopes span tenants (one app at the vendor), hence no tenant column.
create table rate_bucket (
  key text primary key,
  tokens double precision not null,
  refilled_at timestamptz not null,
  parked_until timestamptz,
  reason text
);

create table connection (
  tenant_id uuid not null,
  id uuid not null,
  connector text not null,
  name text not null,
  account_id text,
  account jsonb not null,
  settings jsonb not null,
  features text[] not null,
  granted_scopes text[] not null,
  state text not null check (state in ('connecting', 'active', 'needs_reauthorisation', 'needs_operator', 'paused', 'revoked')),
  reason text,
  notice text,
  state_since timestamptz not null,
  last_ok_at timestamptz,
  created_at timestamptz not null,
  updated_at timestamptz not null,
  version int not null default 1,
  primary key (tenant_id, id)
);
-- One live connection per vendor account and tenant: a second authorisation of it renews the first.
create unique index connection_account on connection (tenant_id, connector, account_id) where state <> 'revoked' and account_id is not null;

create table credential (
  tenant_id uuid not null,
  connection_id uuid not null,
  sealed bytea not null,
  expires_at timestamptz,
  version int not null default 1,
  lease_owner text,
  lease_until timestamptz,
  failures int not null default 0,
  refreshed_at timestamptz,
  primary key (tenant_id, connection_id)
);
create table call_count (
  tenant_id uuid not null,
  connection_id uuid not null,
  day date not null,
  purpose text not null,
  calls int not null,
  primary key (tenant_id, connection_id, day, purpose)
);

grant select, insert, update, delete on account_route, oauth_state, rate_bucket, connection, credential, call_count to rapport_app;
do $$
declare name text;
begin
  foreach name in array array['connection', 'credential', 'call_count'] loop
    execute format('alter table %I enable row level security', name);
    execute format('create policy tenant_rows on %I using (tenant_id = nullif(current_setting(''app.tenant'', true), '''')::uuid)', name);
  end loop;
end $$;
