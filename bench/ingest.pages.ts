import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

// A process of its own: pages of HubSpot-shaped contacts, made beforehand, so that answering costs nearly nothing.
const TOTAL = Number(process.argv[2] ?? 100_000);
const SIZE = 100;

const FIRST = ['Ada', 'Ben', 'Carla', 'Dev', 'Elif', 'Finn', 'Gina', 'Hugo', 'Iris', 'Jonas'];
const LAST = ['Abbott', 'Baker', 'Castro', 'Dietz', 'Evans', 'Flores', 'Grant', 'Haas', 'Ito', 'Jensen'];

function contact(n: number): object {
  const at = new Date(1_700_000_000_000 + n * 1000).toISOString();
  return {
    id: String(n + 1),
    properties: {
      firstname: FIRST[n % FIRST.length],
      lastname: `${LAST[Math.floor(n / 10) % LAST.length]}${n}`,
      email: `contact${n}@example${n % 997}.com`,
      mobilephone: `+1614${String(2_000_000 + n).padStart(7, '0')}`,
      company: `Company ${n % 5000}`,
      jobtitle: 'Fleet manager',
      city: 'Columbus',
      state: 'OH',
      country: 'United States',
      zip: String(43_000 + (n % 300)),
      lifecyclestage: 'customer',
      hs_timezone: 'america_slash_new_york',
      createdate: at,
      lastmodifieddate: at,
    },
    createdAt: at,
    updatedAt: at,
    archived: false,
  };
}

const pages: Buffer[] = [];
for (let start = 0; start < TOTAL; start += SIZE) {
  const results = Array.from({ length: Math.min(SIZE, TOTAL - start) }, (_, n) => contact(start + n));
  const after = String(start + SIZE);
  pages.push(
    Buffer.from(JSON.stringify({ results, ...(start + SIZE < TOTAL ? { paging: { next: { after } } } : {}) })),
  );
}

const server = createServer((request, response) => {
  const query = new URL(request.url ?? '/', 'http://local').searchParams;
  const most = Number(query.get('most') ?? pages.length);
  const page = Math.floor(Number(query.get('after') ?? 0) / SIZE);
  const body = page < most ? pages[page] : undefined;
  response.writeHead(200, { 'content-type': 'application/json' });
  response.end(body ?? '{"results":[]}');
});
server.listen(0, '127.0.0.1', () => process.send?.({ port: (server.address() as AddressInfo).port }));
process.once('disconnect', () => process.exit(0));
