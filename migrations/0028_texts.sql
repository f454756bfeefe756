-- Up Migration
-- A page of one's own instead of the one that is built from the text.
alter table template add column html text;
