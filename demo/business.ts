import { seededRandom } from '../src/kit/sandbox/index.ts';

/** An invoice of the sample business; days count from the start of the demo, negative ones lie before it. */
export interface SampleInvoice {
  number: string;
  amount: number;
  issuedDay: number;
  dueDay: number;
  /** Absent: still open. */
  paidDay?: number;
}

export interface SampleJob {
  id: string;
  title: string;
  kind: string;
  day: number;
  amount: number;
}

/** One customer of the sample business, wherever it is known. */
export interface SampleCustomer {
  trade: 'cng' | 'glass';
  first: string;
  last: string;
  company: string;
  email: string;
  /** The address the bookkeeper has, if any. */
  billingEmail: string | undefined;
  phone: string;
  city: string;
  state: string;
  zone: string;
  /** Index of the relationship manager. */
  owner: number;
  known: { hubspot: boolean; quickbooks: boolean };
  invoices: SampleInvoice[];
  jobs: SampleJob[];
  deal: { name: string; amount: number; stage: string } | undefined;
  ticket: { subject: string; stage: string } | undefined;
}

/** Staff; everybody is the deputy of the one before. */
export const STAFF = [
  { first: 'Maya', last: 'Brandt', roles: [] },
  { first: 'Owen', last: 'Fischer', roles: [] },
  { first: 'Lena', last: 'Okafor', roles: [] },
  { first: 'Tom', last: 'Reyes', roles: [] },
  { first: 'Ines', last: 'Novak', roles: ['accounts'] },
  { first: 'Ruth', last: 'Keller', roles: ['admin'] },
] as const;

/** Those of the staff who look after customers. */
export const MANAGERS = 4;

export const staffEmail = (at: number): string => `${STAFF[at]!.first.toLowerCase()}@cleardrive.example`;

// Area codes with the numbers 555-0100 to 555-0199, which belong to nobody.
const PLACES = [
  { city: 'Columbus', state: 'OH', zone: 'America/New_York', codes: [614, 380, 740, 220] },
  { city: 'Atlanta', state: 'GA', zone: 'America/New_York', codes: [404, 678, 470, 770] },
  { city: 'Houston', state: 'TX', zone: 'America/Chicago', codes: [713, 281, 832, 346] },
  { city: 'Chicago', state: 'IL', zone: 'America/Chicago', codes: [312, 773, 872, 630] },
  { city: 'Denver', state: 'CO', zone: 'America/Denver', codes: [303, 720, 970, 719] },
  { city: 'Phoenix', state: 'AZ', zone: 'America/Phoenix', codes: [602, 480, 623, 928] },
  { city: 'Los Angeles', state: 'CA', zone: 'America/Los_Angeles', codes: [213, 310, 323, 818] },
] as const;

const FIRST =
  'Ada Ben Carla Dev Elif Finn Gina Hugo Iris Jonas Kira Liam Mona Nils Olga Pete Quinn Rosa Sven Tara Udo Vera Will Xenia Yara Zoe Anne Bob Cem Dora Emil Fay Gus Hana Ivo Jill Karl Lea Max Nora'.split(
    ' ',
  );
const LAST =
  'Abbott Baker Castro Dietz Evans Flores Grant Haas Ito Jensen Khan Lopez Meyer Nguyen Ortiz Patel Quist Reed Sato Turner Ueda Vance Walsh Xu Young Zimmer Adler Blum Cole Drake Ellis Frost Gomez Hill Irwin Jung Kemp Lund Marsh Noble'.split(
    ' ',
  );
const FLEETS = ['Freight', 'Transit', 'Waste Haulers', 'Couriers', 'Shuttle', 'Logistics', 'School Buses', 'Trucking'];
const SHOPS = ['Glass', 'Glaziers', 'Windows', 'Shopfronts', 'Auto Glass', 'Mirrors & Glass'];
const CNG_JOBS = ['Dispenser service', 'Compressor inspection', 'Cylinder requalification', 'Hose replacement'];
const GLASS_JOBS = ['Tempered panes delivered', 'Facade units delivered', 'Cutting on site', 'Windscreen batch'];

const DAY_MS = 86_400_000;

/** A date so many days from the start. */
export const dayOf = (start: Date, days: number): string =>
  new Date(start.getTime() + days * DAY_MS).toISOString().slice(0, 10);

/**
 * The sample business: a supplier of natural-gas fuelling for fleets and of glass for fitters. The same seed makes the
 * same customers.
 * @param count how many customers
 */
export function sampleBusiness(count: number, seed = 7): SampleCustomer[] {
  const random = seededRandom(seed);
  const pick = <T>(list: readonly T[]): T => list[Math.floor(random() * list.length)]!;
  const amount = (low: number, high: number): number => Math.round((low + random() * (high - low)) * 100) / 100;
  let numbers = 4000;

  const customerOf = (at: number): SampleCustomer => {
    const trade = at % 5 < 3 ? 'cng' : 'glass';
    const place = PLACES[at % PLACES.length]!;
    const first = FIRST[at % FIRST.length]!;
    const last = LAST[Math.floor(at / FIRST.length + at) % LAST.length]!;
    const company = `${last} ${place.city} ${pick(trade === 'cng' ? FLEETS : SHOPS)} ${at + 1}`;
    const domain = `${last}${at + 1}.example`.toLowerCase();
    const nth = Math.floor(at / PLACES.length);
    const code = place.codes[Math.floor(nth / 100) % place.codes.length]!;
    const inHubSpot = at % 20 !== 19;
    const inQuickBooks = !inHubSpot || at % 20 < 17;
    const email = `${first}@${domain}`.toLowerCase();
    return {
      trade,
      first,
      last,
      company,
      email,
      // The bookkeeper has no address of one in ten: phone number and name show that it is the same customer.
      billingEmail: at % 10 === 4 ? undefined : email,
      phone: `+1${code}55501${String(nth % 100).padStart(2, '0')}`,
      city: place.city,
      state: place.state,
      zone: place.zone,
      owner: at % MANAGERS,
      known: { hubspot: inHubSpot, quickbooks: inQuickBooks },
      invoices: inQuickBooks ? invoicesOf(at, trade) : [],
      jobs: at % 2 === 0 ? jobsOf(at, trade) : [],
      deal: inHubSpot && at % 4 === 0 ? dealOf(trade) : undefined,
      ticket:
        inHubSpot && at % 9 === 0 ? { subject: `${pick(CNG_JOBS)} question`, stage: pick(['1', '2', '4']) } : undefined,
    };
  };

  function invoicesOf(at: number, trade: SampleCustomer['trade']): SampleInvoice[] {
    const invoices: SampleInvoice[] = [];
    const add = (dueDay: number, paidDay?: number): void => {
      numbers += 1;
      invoices.push({
        number: `${trade === 'cng' ? 'F' : 'G'}-${numbers}`,
        amount: trade === 'cng' ? amount(240, 4200) : amount(120, 2600),
        issuedDay: dueDay - 30,
        dueDay,
        ...(paidDay === undefined ? {} : { paidDay }),
      });
    };
    add(-120, -118 + Math.floor(random() * 10));
    if (at % 3 === 0) add(-60, -61 + Math.floor(random() * 6));
    // Open ones: some overdue already, some that become overdue while the demo runs, some that never do.
    if (at % 8 === 1) for (let n = 0; n <= Math.floor(random() * 3); n++) add(-6 + Math.floor(random() * 5) - n * 9);
    if (at % 8 === 5) add(Math.floor(random() * 14));
    if (at % 8 === 6) add(80 + Math.floor(random() * 20));
    return invoices;
  }

  const jobsOf = (at: number, trade: SampleCustomer['trade']): SampleJob[] =>
    Array.from({ length: 1 + (at % 3) }, (_, n) => ({
      id: `J-${at + 1}-${n + 1}`,
      title: pick(trade === 'cng' ? CNG_JOBS : GLASS_JOBS),
      kind: trade === 'cng' ? 'service' : 'delivery',
      day: -200 + Math.floor(random() * 190),
      amount: amount(90, 1500),
    }));

  const dealOf = (trade: SampleCustomer['trade']): NonNullable<SampleCustomer['deal']> => ({
    name: trade === 'cng' ? 'Fuelling contract' : 'Glass supply',
    amount: amount(2_000, 40_000),
    stage: pick(['appointmentscheduled', 'contractsent', 'closedwon', 'closedlost']),
  });

  return Array.from({ length: count }, (_, at) => customerOf(at));
}

/** The jobs as the workshop's program exports them. */
export function jobsCsv(customers: readonly SampleCustomer[], start: Date): string {
  const rows = customers.flatMap((customer) =>
    customer.jobs.map((job) => [
      job.id,
      customer.email,
      job.title,
      job.kind,
      'completed',
      dayOf(start, job.day),
      job.amount.toFixed(2),
    ]),
  );
  return [['id', 'email', 'title', 'kind', 'status', 'completed_on', 'amount'], ...rows]
    .map((row) => row.join(','))
    .join('\n');
}
