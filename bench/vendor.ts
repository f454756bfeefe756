import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

// A process of its own: a platform that answers every post at once with an id, after `delay` milliseconds when asked to.
let next = 0;
const server = createServer((request, response) => {
  request.resume();
  request.once('end', () => {
    const delay = Number(new URL(request.url ?? '/', 'http://local').searchParams.get('delay') ?? 0);
    const answer = (): void => {
      response.writeHead(201, { 'content-type': 'application/json' });
      response.end(`{"id":"${++next}"}`);
    };
    if (delay > 0) setTimeout(answer, delay);
    else answer();
  });
});
server.keepAliveTimeout = 60_000;
server.listen(0, '127.0.0.1', () => process.send?.({ port: (server.address() as AddressInfo).port }));
process.once('disconnect', () => process.exit(0));
