-- Up Migration
-- A choice is about a class of messages too; the history tells when a consent would have ended.
alter table consent add column class text not null default 'marketing' check (class in ('marketing', 'transactional'));
alter table consent drop constraint consent_pkey;
alter table consent add primary key (tenant_id, customer_id, channel, topic, class);
-- `per_topic`: an earlier objection to everything no longer stands, by the person's own word; each topic counts by itself.
alter table consent drop constraint consent_state_check;
alter table consent add constraint consent_state_check check (state in ('granted', 'denied', 'per_topic'));
alter table consent_event add column class text not null default 'marketing', add column expires_at timestamptz;
-- What people ask for beside consent: a pause that ends by itself, and at most so many messages in so many days.
create table contact_preference (
  tenant_id uuid not null,
  customer_id uuid not null,
  paused_until timestamptz,
  at_most_messages int,
  at_most_days int,
  source text not null,
  evidence jsonb not null,
  updated_at timestamptz not null,
  primary key (tenant_id, customer_id)
);
-- When a word was last answered at an address: HELP is answered once in a while, not each time.
create table keyword_answer (
  tenant_id uuid not null,
  channel text not null,
  address_hash bytea not null,
  word text not null,
  answered_at timestamptz not null,
  primary key (tenant_id, channel, address_hash, word)
);
-- Topics somebody opted out of at a platform, as channel:topic.
alter table contact_projection add column topic_opt_outs text[];
alter table customer add column topic_opt_outs text[];
-- Who shares a household: one phone number, or one address and postal code.
create index customer_phone on customer (tenant_id, phone) where phone is not null;
create index customer_household on customer (tenant_id, (lower(regexp_replace(address_line || '|' || postal_code, '[^[:alnum:]|]+', '', 'g')))) where address_line is not null and postal_code is not null;

grant select, insert, update, delete on contact_preference, keyword_answer to rapport_app;
do $$
declare name text;
begin
  foreach name in array array['contact_preference', 'keyword_answer'] loop
    execute format('alter table %I enable row level security', name);
    execute format('create policy tenant_rows on %I using (tenant_id = nullif(current_setting(''app.tenant'', true), '''')::uuid)', name);
  end loop;
end $$;
