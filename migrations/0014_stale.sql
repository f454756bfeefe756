-- Up Migration
-- Customers of whom something changed that a reader has not looked at yet: who keeps something derived of customers
-- (scores, segments) recomputes these and no others. Written in the transaction of the fact, taken in that of the result.
create table customer_stale (
  tenant_id uuid not null,
  reader text not null,
  customer_id uuid not null,
  -- How many of our own writes lie between the change and something a person did.
  depth smallint not null default 0,
  primary key (tenant_id, reader, customer_id)
);
grant select, insert, update, delete on customer_stale to rapport_app;
alter table customer_stale enable row level security;
create policy tenant_rows on customer_stale using (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid);
