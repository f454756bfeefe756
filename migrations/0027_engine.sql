-- Up Migration
-- When the wait an enrolment stands in is over; `wake_at` is when it is looked at next, which may be earlier.
alter table run add column until_at timestamptz;
-- What fell due while it was paused is told from what fell due since.
alter table run add column resumed_at timestamptz;
alter table sequence add column resumed_at timestamptz;
-- Why it could not go on at the last try, and how often it was tried.
alter table run add column problem text;
alter table run add column tries int not null default 0;
create index run_problem on run (tenant_id, id) where problem is not null;
-- What was published last, and where an enrolment stood before it was brought over: both can be taken back.
alter table sequence add column published jsonb;
alter table run add column moved_from jsonb;
-- Steps entered at the same instant keep their order: ids made by the program rise.
alter table run_step add column note_id uuid;
-- A step in a circle escalates anew with each visit.
alter table escalation add column visit int not null default 1;
drop index escalation_run;
create unique index escalation_run on escalation (tenant_id, run_id, step_id, visit) where run_id is not null;
