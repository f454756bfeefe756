-- Up Migration
-- What is due, in the order in which it goes out: the first few hundred of many thousands are read without sorting them.
drop index action_request_due;
create index action_request_due on action_request (tenant_id, priority desc, not_before, id) where state in ('planned', 'committed');
-- Only for who asks for a customer. While statistics are young the planner takes an index that begins with the business
-- for the shortest way to rows named by their ids too, and walks everything the business has.
drop index action_request_customer;
create index action_request_customer on action_request (tenant_id, customer_id, id) where customer_id is not null;
