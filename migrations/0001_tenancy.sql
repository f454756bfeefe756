-- Up Migration
-- The role every request and job works as. It owns nothing, so row-level security binds it.
do $$
begin
  if not exists (select from pg_roles where rolname = 'rapport_app') then
    create role rapport_app nologin;
  end if;
exception when duplicate_object or unique_violation then null;
end $$;
do $$
begin
  -- A superuser or the role's creator may switch to it already; others need the membership.
  execute format('grant rapport_app to %I', current_user);
exception when others then null;
end $$;
grant usage on schema public to rapport_app;

-- Coordinator tables: shared by all tenants, small, reached by exact look-ups only. No row-level security.
create table tenant (
  id uuid primary key,
  name text not null,
  created_at timestamptz not null
);
create table user_account (
  id uuid primary key,
  email text not null unique,
  name text not null,
  password_hash text not null,
  created_at timestamptz not null
);
create table session (
  token_hash text primary key,
  user_id uuid not null references user_account,
  tenant_id uuid not null references tenant,
  created_at timestamptz not null,
  expires_at timestamptz not null
);
create table api_key_route (
  token_hash text primary key,
  tenant_id uuid not null,
  api_key_id uuid not null
);
-- Unguessable links we hand out (unsubscribe, acknowledge): they name their tenant and what they are about.
create table link_route (
  token_hash text primary key,
  tenant_id uuid not null,
  purpose text not null,
  subject jsonb not null,
  created_at timestamptz not null
);
-- When a tenant next has something to do, by kind of work: a sweep walks these rows instead of everybody's tables.
create table tenant_due (
  tenant_id uuid not null,
  kind text not null,
  -- When somebody asked for it; infinity when nobody did.
  next_due timestamptz not null,
  -- When it is looked at anyway: the net under a lost wake-up.
  look_at timestamptz not null,
  primary key (tenant_id, kind)
);
create index tenant_due_next on tenant_due (kind, least(next_due, look_at));

-- Tenant tables.
create table membership (
  tenant_id uuid not null,
  user_id uuid not null,
  role text not null check (role in ('owner', 'admin', 'operator', 'integrator', 'viewer')),
  created_at timestamptz not null,
  version int not null default 1,
  primary key (tenant_id, user_id)
);
create table api_key (
  tenant_id uuid not null,
  id uuid not null,
  name text not null,
  prefix text not null,
  role text not null check (role in ('admin', 'operator', 'integrator', 'viewer')),
  scopes text[] not null,
  created_by text not null,
  created_at timestamptz not null,
  last_used_on date,
  revoked_at timestamptz,
  version int not null default 1,
  primary key (tenant_id, id)
);
create table setting (
  tenant_id uuid not null,
  key text not null,
  value jsonb not null,
  version int not null default 1,
  updated_at timestamptz not null,
  updated_by text not null,
  primary key (tenant_id, key)
);
create table idempotency (
  tenant_id uuid not null,
  key text not null,
  request_hash text not null,
  status int,
  body jsonb,
  headers jsonb,
  created_at timestamptz not null,
  primary key (tenant_id, key)
);
create index idempotency_age on idempotency (tenant_id, created_at);

grant select, insert, update, delete on
  tenant, user_account, session, api_key_route, link_route, tenant_due, membership, api_key, setting, idempotency to rapport_app;
do $$
declare name text;
begin
  foreach name in array array['membership', 'api_key', 'setting', 'idempotency'] loop
    execute format('alter table %I enable row level security', name);
    execute format('create policy tenant_rows on %I using (tenant_id = nullif(current_setting(''app.tenant'', true), '''')::uuid)', name);
  end loop;
end $$;
