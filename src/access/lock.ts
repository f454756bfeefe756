import { one, type Sql } from '../base/database.ts';
import { Problem } from '../base/errors.ts';
import { hashToken } from '../base/ids.ts';

/*
 * Guessing at one account from many addresses is slowed down by the account, beside the limit of each address. It is
 * counted by the address that was typed in, whether there is such an account or not, so that nobody learns which it is.
 */

/** Failures in a row that cost nothing but the limit of the address: people mistype. */
const FREE = 20;
/** The first delay after them; each further failure doubles it. */
const FIRST_SECONDS = 5;
/** Nobody is locked out for longer: the owner must come in again. */
const MOST_SECONDS = 900;
/** Failures are forgotten after this time without one. */
const FORGET_MS = 86_400_000;

const nameOf = (email: string): string => hashToken(`log-in ${email.trim().toLowerCase()}`);

/**
 * Counts a try before it is made, so that many at once count as many. A success takes it back.
 * @throws Problem 429 while the account is locked, whatever the password
 */
export async function countTry(sql: Pick<Sql, 'query'>, email: string, now: Date): Promise<void> {
  const name = nameOf(email);
  const { rowCount } = await sql.query(
    `insert into login_failure as f (email_hash, failures, failed_at) values ($1, 1, $2)
     on conflict (email_hash) do update set
       failures = case when f.failed_at < $3 then 1 else f.failures + 1 end, failed_at = $2,
       locked_until = case when f.failed_at >= $3 and f.failures >= $4::int
         then $2::timestamptz + least($5::int, $6::int * power(2, least(f.failures - $4::int, 20))) * interval '1 second' end
     where f.locked_until is null or f.locked_until <= $2`,
    [name, now, new Date(now.getTime() - FORGET_MS), FREE, MOST_SECONDS, FIRST_SECONDS],
  );
  if (rowCount === 1) return;
  const row = one(
    await sql.query<{ locked_until: Date | null }>('select locked_until from login_failure where email_hash = $1', [
      name,
    ]),
  );
  const seconds = Math.max(1, Math.ceil(((row?.locked_until?.getTime() ?? 0) - now.getTime()) / 1000));
  throw new Problem(429, 'locked', 'Too many log-ins to this account failed one after the other.', {
    fix: `Try again in ${seconds} seconds.`,
  });
}

/** The right password: the failures before it are forgotten. */
export async function forgetTries(sql: Pick<Sql, 'query'>, email: string): Promise<void> {
  await sql.query('delete from login_failure where email_hash = $1', [nameOf(email)]);
}
