-- Up Migration
-- When would it have fired? Each trigger that is found in changes answers from dates the records carry, by these.
create index job_completed_on on job (tenant_id, completed_on) where completed_on is not null;
create index invoice_issued_on on invoice (tenant_id, issued_on) where issued_on is not null;
create index deal_closes_on on deal (tenant_id, closes_on) where status in ('won', 'lost');
create index ticket_closed_at on ticket (tenant_id, closed_at) where closed_at is not null;
create index activity_inbound_at on activity (tenant_id, occurred_at) where direction = 'in';
create index survey_response_answered_at on survey_response (tenant_id, answered_at);
-- What carries no date is told from the changes as they were kept; a first load leaves none here.
create index change_live_at on change (tenant_id, kind, occurred_at, id) where origin = 'live';
