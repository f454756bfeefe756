import type { AddressInfo } from 'node:net';
import type { SMTPServer, SMTPServerSession } from 'smtp-server';
import type { Sandbox, SandboxOptions } from '../../src/kit/index.ts';
import { createFaults, type Faults } from '../../src/kit/sandbox/index.ts';
import { parseMail, type ReceivedMail } from './sandbox.mail.ts';
import { deedsOf } from './sandbox.people.ts';
import { actionsOf, refusalsOf } from './sandbox.trial.actions.ts';

export interface SmtpSandbox extends Sandbox {
  /**
   * Faults strike steps of the conversation: `CONNECT`, `AUTH user`, `MAIL address`, `RCPT address` and `DATA address`
   * (of the recipient). A `status` fault answers with its status and body, such as 550 and `5.1.1 No such user`; a
   * `rewrite` changes the text of the answer.
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
  const faults = createFaults(options.seed);
  const received: ReceivedMail[] = [];
  const calls: { at: Date; call: string }[] = [];
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

  type Done = (error?: Error | null, answer?: string) => void;

  /** Lets a fault strike a step; without one, the step happens. `act` does it and tells the answer, where it has one. */
  function step(name: string, session: SMTPServerSession, done: Done, act: () => string | undefined = nothing): void {
    calls.push({ at: options.clock.now(), call: name });
    const fault = faults.strike(name);
    const happen = (): void => done(null, act());
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
      // What follows is said past the server, which waits for good.
      case 'malformed':
        act();
        say(server, session, 'Lorem ipsum {"broken": [1, 2\r\n');
        return;
      case 'truncated':
        act();
        say(server, session, '25');
        setImmediate(() => cut(server, session));
        return;
      case 'rewrite':
        done(null, String(fault.rewrite(act() ?? 'OK')));
        return;
      case 'silent':
        return;
      case 'slow':
        setTimeout(happen, fault.milliseconds);
        return;
      default:
        happen();
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
      step('CONNECT', session, (error) => done(error));
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
    onMailFrom: (address, session, done) => step(`MAIL ${address.address}`, session, (error) => done(error)),
    onRcptTo: (address, session, done) => step(`RCPT ${address.address}`, session, (error) => done(error)),
    onData: (stream, session, done) => {
      const chunks: Buffer[] = [];
      stream.on('data', (chunk: Buffer) => void chunks.push(chunk));
      stream.once('end', () => {
        const { mailFrom, rcptTo } = session.envelope;
        const envelope = { from: mailFrom ? mailFrom.address : '', to: rcptTo.map(({ address }) => address) };
        const take = (): string => {
          received.push(parseMail(Buffer.concat(chunks), envelope, options.clock.now()));
          return `2.0.0 Ok: queued as ${received.length.toString(36).toUpperCase()}`;
        };
        step(`DATA ${envelope.to.join(' ')}`, session, (error, answer) => done(error ?? null, answer), take);
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
  const changePassword = (password: string): void => {
    known.password = password;
  };
  const mails = (): ReceivedMail[] => [...received];
  return {
    hosts: {},
    faults,
    credentials,
    counts,
    mails,
    changePassword,
    dropConnections,
    deeds: deedsOf({ changePassword, dropConnections }),
    // Nothing is read of a mail server, and it posts nothing.
    trial: { streams: {}, actions: actionsOf({ mails }), refusals: refusalsOf(), calls: () => calls },
    report: () => ({ mails: received.length, refused: counts.refused, connections: counts.connections }),
    stop: async () => {
      dropConnections();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}

const nothing = (): undefined => undefined;

const socketsOf = (server: SMTPServer, session: SMTPServerSession) =>
  [...server.connections].filter((connection) => connection.session.id === session.id).map(({ _socket }) => _socket);

function cut(server: SMTPServer, session: SMTPServerSession): void {
  for (const socket of socketsOf(server, session)) socket.destroy();
}

function say(server: SMTPServer, session: SMTPServerSession, line: string): void {
  for (const socket of socketsOf(server, session)) socket.write(line);
}
