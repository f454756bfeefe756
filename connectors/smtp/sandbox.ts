import type { AddressInfo } from 'node:net';
import type { SMTPServer, SMTPServerSession } from 'smtp-server';
import type { Sandbox, SandboxOptions } from '../../src/kit/index.ts';
import { createFaults, type Faults } from '../../src/kit/sandbox/index.ts';
import { parseMail, type ReceivedMail } from './sandbox.mail.ts';

export interface SmtpSandbox extends Sandbox {
  /**
   * Faults strike steps of the conversation: `CONNECT`, `AUTH user`, `MAIL address`, `RCPT address` and `DATA address`
   * (of the recipient). A `status` fault answers with its status and body, such as 550 and `5.1.1 No such user`.
   */
  faults: Faults;
  /** What to enter at the hub to send through this server. */
  credentials: { host: string; port: number; user: string; password: string; fromName: string; fromAddress: string };
  /** Every mail that was taken, oldest first. */
  mails(): ReceivedMail[];
  /** The password is changed by somebody. */
  changePassword(password: string): void;
  /** Closes every open connection, as servers do with idle ones. */
  dropConnections(): void;
  counts: { connections: number; open: number; mostOpen: number; refused: number };
}

/** Starts a mail server that keeps what it gets. Its clock dates the mails; it delivers nothing to anybody. */
export async function start(options: SandboxOptions & { encrypted?: boolean }): Promise<SmtpSandbox> {
  const { SMTPServer: Server } = await import('smtp-server');
  const faults = createFaults();
  const received: ReceivedMail[] = [];
  const counts = { connections: 0, open: 0, mostOpen: 0, refused: 0 };
  const credentials = {
    host: '127.0.0.1',
    port: 0,
    user: 'hub@example.com',
    password: 'simulated-mail-password',
    fromName: 'Main Street Services',
    fromAddress: 'hello@mainstreet.example',
  };
  const known = { password: credentials.password };

  type Done = (error?: Error | null) => void;

  /** Lets a fault strike a step; without one, the step happens. */
  function step(name: string, session: SMTPServerSession, done: Done, act: () => void = done): void {
    const fault = faults.strike(name);
    switch (fault?.kind) {
      case 'status': {
        counts.refused += 1;
        done(Object.assign(new Error(String(fault.body ?? 'Refused')), { responseCode: fault.status }));
        return;
      }
      case 'cut':
        cut(server, session);
        return;
      case 'cut_after':
        act();
        cut(server, session);
        return;
      case 'silent':
        return;
      case 'slow':
        setTimeout(act, fault.milliseconds);
        return;
      default:
        act();
    }
  }

  const server: SMTPServer = new Server({
    banner: 'This is a simulation of a mail server',
    logger: false,
    // Nobody vouches for the certificate of a simulation: without `encrypted` it offers none.
    disabledCommands: options.encrypted ? [] : ['STARTTLS'],
    allowInsecureAuth: true,
    disableReverseLookup: true,
    size: 25 * 1024 * 1024,
    onConnect: (session, done) => {
      counts.connections += 1;
      counts.open += 1;
      counts.mostOpen = Math.max(counts.mostOpen, counts.open);
      step('CONNECT', session, done);
    },
    onClose: () => {
      counts.open -= 1;
    },
    onAuth: (auth, session, done) => {
      const good = auth.username === credentials.user && auth.password === known.password;
      const refuse = Object.assign(new Error('5.7.8 Authentication credentials invalid'), { responseCode: 535 });
      step(`AUTH ${auth.username}`, session, (error) =>
        error || !good ? done(error ?? refuse) : done(null, { user: auth.username }),
      );
    },
    onMailFrom: (address, session, done) => step(`MAIL ${address.address}`, session, done),
    onRcptTo: (address, session, done) => step(`RCPT ${address.address}`, session, done),
    onData: (stream, session, done) => {
      const chunks: Buffer[] = [];
      stream.on('data', (chunk: Buffer) => void chunks.push(chunk));
      stream.once('end', () => {
        const { mailFrom, rcptTo } = session.envelope;
        const envelope = { from: mailFrom ? mailFrom.address : '', to: rcptTo.map(({ address }) => address) };
        const take = (): void => {
          received.push(parseMail(Buffer.concat(chunks), envelope, options.clock.now()));
          const answer = `2.0.0 Ok: queued as ${received.length.toString(36).toUpperCase()}`;
          // In the next turn, so that a line that is cut after the deed is cut before the answer.
          setImmediate(() => done(null, answer));
        };
        step(`DATA ${envelope.to.join(' ')}`, session, (error) => done(error ?? null), take);
      });
    },
  });

  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(options.port ?? 0, '127.0.0.1', () => resolve());
  });
  // Cut connections are part of the play.
  server.on('error', () => {});
  credentials.port = (server.server.address() as AddressInfo).port;

  const dropConnections = (): void => {
    for (const connection of server.connections) connection._socket.destroy();
  };
  return {
    hosts: {},
    faults,
    credentials,
    counts,
    mails: () => [...received],
    changePassword: (password) => {
      known.password = password;
    },
    dropConnections,
    report: () => ({ mails: received.length, refused: counts.refused, connections: counts.connections }),
    stop: async () => {
      dropConnections();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}

function cut(server: SMTPServer, session: SMTPServerSession): void {
  for (const connection of server.connections) if (connection.session.id === session.id) connection._socket.destroy();
}
