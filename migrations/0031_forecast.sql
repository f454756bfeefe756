-- Up Migration
-- A message that was decided about in shadow and did not go out: it counts for other messages in shadow only.
alter table touch add column shadow boolean not null default false;
-- Who paused an enrolment, so that taking the tag off again lets go on what the tag paused and nothing else.
alter table run add column paused_by text;
create index action_request_shadow on action_request (tenant_id, ended_at, id) where reason = 'shadow';
