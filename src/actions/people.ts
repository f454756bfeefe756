import type { LocalDate } from '../base/time.ts';
import type { PersonPlace } from '../model/zones.ts';

/** A customer with what decisions and texts need to know. */
export interface Person extends PersonPlace {
  id: string;
  name: string | null;
  first_name: string | null;
  last_name: string | null;
  email: string | null;
  locale: string | null;
  company_id: string | null;
  company_name: string | null;
  owner_name: string | null;
  owner_email: string | null;
  deleted_at: Date | null;
  email_opt_out: boolean | null;
  job_title: string | null;
  address_line: string | null;
  city: string | null;
  postal_code: string | null;
  birthday: string | null;
  custom: unknown;
  since: Date | null;
  company_email: string | null;
  company_phone: string | null;
  company_domain: string | null;
  company_industry: string | null;
  company_city: string | null;
  company_custom: unknown;
}

export interface OverdueInvoice {
  entity_id: string;
  customer_id: string;
  stream_id: string;
  remote_id: string;
  number: string | null;
  issued_on: LocalDate | null;
  due_on: LocalDate;
  total: string | null;
  balance: string;
  currency: string | null;
  url: string | null;
  updated_at: Date;
}
