-- Up Migration
-- shadow: everything is decided and written down, nothing goes out.
alter table sequence add column mode text not null default 'live' check (mode in ('live', 'shadow'));
-- What two versions with other words have in common: runs take over copy fixes, and stay where the structure changed.
alter table sequence_version add column structure text not null default '';
alter table sequence_version add column note text;
-- When the step the enrolment stands at was entered; what came a while before may still count.
alter table run add column entered_at timestamptz;
-- What brought the customer in beside a trigger: the campaign.
alter table run add column campaign_id uuid;
-- Left out on purpose, to compare with: 'held_out'; null for everybody else.
alter table run add column arm text;
create index run_campaign on run (tenant_id, campaign_id) where campaign_id is not null;
create index run_sequence on run (tenant_id, sequence_id, version) where state in ('active', 'waiting', 'paused');
