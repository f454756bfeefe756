-- Up Migration
-- When what a connector set up at the platform (a subscription) has to be set up again, because it ends.
alter table connection add column prepare_at timestamptz;
