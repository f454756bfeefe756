-- Up Migration
-- Birthdays, of which the year is often not known; what is set by hand; and the person's right to be forgotten.

-- 'YYYY-MM-DD', or '--MM-DD' where the year is not known.
alter table contact_projection alter column birthday type text using to_char(birthday, 'YYYY-MM-DD');
alter table customer alter column birthday type text using to_char(birthday, 'YYYY-MM-DD');
-- Whose birthday a day is, whatever the year.
create index customer_birthday on customer (tenant_id, right(birthday, 5)) where birthday is not null;
