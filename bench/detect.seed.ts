/** The id of customer or document number n, the same wherever it is named. */
const id = (kind: number, n: string): string =>
  `('00000000-0000-7${kind}00-8000-' || lpad(to_hex(${n}), 12, '0'))::uuid`;

/** Days back from the last activity of a customer of number g: the first fifth parts of the due are due by it. */
const LAST = `case when g <= $4::int then 90 else 1 + g % 60 end`;
const STAMPS = `'m', $3::date`;

/**
 * Statements that make a business of $2 customers on the day $3: of each of five triggers $4 subjects are due, and
 * everything else is not, however many customers there are.
 */
export const SEED: readonly string[] = [
  // Every customer did something in the last two months, except those who went quiet 90 days ago.
  `insert into customer (tenant_id, id, name, email, birthday, provenance, sources, created_at, updated_at)
   select $1, ${id(1, 'g')}, 'Customer ' || g, 'c' || g || '@example.com',
     case when g > $2::int - $4::int then '1980-' || to_char($3::date, 'MM-DD') when g % 3 = 0 then '1975-' || to_char($3::date + 20 + g % 300, 'MM-DD') end,
     '{}', 1, $3::date, $3::date from generate_series(1, $2::int) g`,
  `insert into job (tenant_id, stream_id, remote_id, entity_id, title, kind, status, completed_on, amount, currency, customer_id, mapping_version, updated_at)
   select $1, ${id(9, '1')}, 'j' || g || '-' || n, ${id(2, '(g * 16 + n)::bigint')}, 'Visit', case when n = 9 then 'maintenance' else 'repair' end, 'completed',
     case when n = 9 and g > $2::int / 2 and g <= $2::int / 2 + $4::int then ($3::date - interval '6 months')::date
          when n = 9 then $3::date - 200 - g % 700
          else $3::date - (${LAST}) - n * 91 end,
     120, 'USD', ${id(1, 'g')}, ${STAMPS} from generate_series(1, $2::int) g, generate_series(0, 9) n`,
  `insert into invoice (tenant_id, stream_id, remote_id, entity_id, number, status, issued_on, due_on, paid_on, total, balance, currency, customer_id, mapping_version, updated_at)
   select $1, ${id(9, '2')}, 'i' || g || '-' || n, ${id(3, '(g * 16 + n)::bigint')}, g || '-' || n, case when open then 'open' else 'paid' end,
     $3::date - (${LAST}) - n * 91, due, case when not open then due - 2 end, 120, case when open then 120 else 0 end, 'USD', ${id(1, 'g')}, ${STAMPS}
   from generate_series(1, $2::int) g, generate_series(0, 9) n,
     lateral (select n = 9 and g > $2::int / 3 and g <= $2::int / 3 + $4::int as open) o,
     lateral (select case when open then $3::date - 7 else $3::date - (${LAST}) - n * 91 + 30 end as due) d`,
  `insert into subscription (tenant_id, stream_id, remote_id, entity_id, name, kind, status, ends_on, customer_id, mapping_version, updated_at)
   select $1, ${id(9, '3')}, 's' || g, ${id(4, 'g')}, 'Warranty', 'warranty', 'active',
     case when g <= $4::int then $3::date + 30 else $3::date + 100 + g % 900 end, ${id(1, 'g')}, ${STAMPS}
   from generate_series(1, $2::int) g where g <= $4::int or g % 4 = 0`,
  `insert into customer_date (tenant_id, customer_id, what, kind, asset, first_on, first_day, last_on)
   select $1, f.customer_id, 'active', '', '', min(f.day), to_char(min(f.day), 'MM-DD'), max(f.day)
   from (select customer_id, completed_on as day from job where tenant_id = $1 union all select customer_id, issued_on from invoice where tenant_id = $1) f
   where $2::int > 0 and $3::date is not null and $4::int > 0 group by 2`,
  `insert into customer_date (tenant_id, customer_id, what, kind, asset, first_on, first_day, last_on)
   select $1, customer_id, 'served', kind, '', min(completed_on), to_char(min(completed_on), 'MM-DD'), max(completed_on)
   from job where tenant_id = $1 and $2::int > 0 and $3::date is not null and $4::int > 0 group by customer_id, kind`,
];
