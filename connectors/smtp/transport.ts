import { createPrivateKey } from 'node:crypto';
import { lookup } from 'node:dns/promises';
import { isIP } from 'node:net';
import type { Readable } from 'node:stream';
import type { createTransport, SendMailOptions, SMTPPoolOptions } from 'nodemailer';
import { type PreparedRequest, publicAddress, sha256, type Transport, VendorError } from '../../src/kit/index.ts';
import { smtpError } from './errors.ts';

/** Both unsubscribe headers are named, which the client's own list does not do and RFC 8058 demands. */
const SIGNED_HEADERS =
  'from:to:subject:date:message-id:mime-version:content-type:content-transfer-encoding:reply-to:in-reply-to:references:list-id:list-unsubscribe:list-unsubscribe-post';

/** Sent with each message and filled while it is: whether the server was given a part of it. */
interface Handover {
  stream?: Readable;
}

type Mailer = ReturnType<typeof openPool>;

/** Pools of connections that lie open at most; a changed password makes a new one. */
const MAX_POOLS = 200;

/** Mail servers as a transport: `/send` hands over one mail, `/verify` logs in and out again. */
export async function smtpTransport(): Promise<Transport> {
  const nodemailer = await import('nodemailer');
  const pools = new Map<string, Mailer>();
  return async (request) => {
    const options = await poolOptions(request);
    const key = sha256(JSON.stringify(options)).toString('base64');
    const pool = pools.get(key) ?? openPool(nodemailer.createTransport, options);
    // The one used last stands last: the first is the one nobody needs.
    pools.delete(key);
    pools.set(key, pool);
    if (pools.size > MAX_POOLS) closeOldest(pools);
    return request.path === '/verify' ? verify(pool, request) : send(pool, request);
  };
}

function openPool(create: typeof createTransport, options: SMTPPoolOptions & { pool: true }) {
  const mailer = create(options);
  mailer.use('stream', (mail, done) => {
    const { handover } = mail.data as { handover?: Handover };
    const open = mail.message.createReadStream.bind(mail.message);
    mail.message.createReadStream = (...args) => {
      const stream = open(...args);
      if (handover) handover.stream = stream;
      return stream;
    };
    done();
  });
  return mailer;
}

function closeOldest(pools: Map<string, Mailer>): void {
  const [key, pool] = [...pools][0]!;
  pools.delete(key);
  pool.close();
}

const hostOf = (request: PreparedRequest): string => String(request.settings.host ?? '').replace(/^\[|\]$/g, '');

async function verify(pool: Mailer, request: PreparedRequest) {
  try {
    await Promise.race([pool.verify(), aborted(request.signal)]);
    return { status: 200, headers: {}, body: { ok: true } };
  } catch (error) {
    throw smtpError(error, false, hostOf(request));
  }
}

async function send(pool: Mailer, request: PreparedRequest) {
  const handover: Handover = {};
  try {
    const mail = { ...(request.json as SendMailOptions), signal: request.signal, handover } as SendMailOptions;
    const { messageId, response } = await pool.sendMail(mail);
    return { status: 200, headers: {}, body: { messageId, response } };
  } catch (error) {
    // The client reads the message only after the server's "go ahead": unread means that nothing left.
    throw smtpError(error, handover.stream?.readableDidRead ?? false, hostOf(request));
  }
}

/** Verifying takes no abort signal: the wait is ended from outside. */
const aborted = (signal: AbortSignal): Promise<never> =>
  new Promise((_resolve, reject) => {
    const stop = () => reject(Object.assign(new Error('The mail server took too long.'), { code: 'ETIMEDOUT' }));
    if (signal.aborted) stop();
    signal.addEventListener('abort', stop, { once: true });
  });

/**
 * How to talk to the server of a connection.
 * @throws VendorError when its host must not be reached or its settings do not fit together
 */
export async function poolOptions(request: PreparedRequest): Promise<SMTPPoolOptions & { pool: true }> {
  const { settings, secrets } = request;
  const host = hostOf(request);
  const port = Number(settings.port ?? 587);
  const secure = typeof settings.secure === 'boolean' ? settings.secure : port === 465;
  const timeout = Number(settings.timeoutSeconds ?? 30) * 1000;
  const { address } = await addressOf(host, request.allowedHosts);
  const user = typeof settings.user === 'string' ? settings.user : undefined;
  const dkim = dkimOf(request);
  return {
    pool: true,
    // The address that was checked, never the name again: a second look-up could answer differently.
    host: address,
    port,
    secure,
    // A neighbour that the operator named may go without; for everybody else no encryption means no mail.
    requireTLS: !secure && !request.allowedHosts.includes(host),
    tls: { rejectUnauthorized: true, minVersion: 'TLSv1.2', ...(isIP(host) ? {} : { servername: host }) },
    ...(user === undefined ? {} : { auth: { user, pass: secrets.password ?? '' }, forceAuth: true }),
    ...(dkim ? { dkim } : {}),
    maxConnections: 3,
    maxMessages: 100,
    // The hub decides what is tried again, and only when it is sure that nothing was sent.
    maxRequeues: 0,
    idleTimeout: 10_000,
    connectionTimeout: Math.min(10_000, timeout),
    greetingTimeout: timeout,
    socketTimeout: timeout,
    dnsTimeout: 10_000,
    disableFileAccess: true,
    disableUrlAccess: true,
  };
}

async function addressOf(host: string, allowed: readonly string[]): Promise<{ address: string }> {
  try {
    return await publicAddress(host, allowed);
  } catch (error) {
    // A name server that is silent at the moment is no reason to give a message up.
    const known =
      isIP(host) !== 0 ||
      (await lookup(host).then(
        () => true,
        () => false,
      ));
    throw known ? error : new VendorError('transient', `The host ${host} cannot be found.`, { cause: error });
  }
}

function dkimOf({ settings, secrets }: PreparedRequest): SMTPPoolOptions['dkim'] {
  const { dkimDomain, dkimSelector } = settings;
  // Keys are often pasted on one line.
  const privateKey = secrets.dkimPrivateKey?.replaceAll('\\n', '\n');
  const given = [dkimDomain, dkimSelector, privateKey].filter((value) => typeof value === 'string' && value !== '');
  if (given.length === 0) return undefined;
  if (given.length < 3 || !privateKey) {
    throw new VendorError('invalid', 'DKIM needs all three: dkimDomain, dkimSelector and dkimPrivateKey.');
  }
  try {
    createPrivateKey(privateKey);
  } catch (cause) {
    throw new VendorError('invalid', 'The DKIM private key cannot be read: it must be a key in PEM form.', { cause });
  }
  return {
    domainName: String(dkimDomain),
    keySelector: String(dkimSelector),
    privateKey,
    headerFieldNames: SIGNED_HEADERS,
  };
}
