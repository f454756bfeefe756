-- Up Migration
-- Which zones customers live in, found without reading the customers: conditions ask when a day begins for each of them.
create index customer_zones on customer (tenant_id, local_zone) where local_zone is not null;
