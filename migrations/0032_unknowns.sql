-- Up Migration
-- When a platform is asked again about an action of which nobody knows whether it was done: `not_before`, as for what
-- is still to be sent. What only a person can decide comes up once a day and keeps nobody else waiting.
drop index action_request_unknown;
create index action_request_unknown on action_request (tenant_id, not_before) where state = 'unknown';
