import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import envSchema from 'env-schema';
import { Type } from 'typebox';

/** The parts of the program that can run in processes of their own. */
export const ROLES = ['api', 'sync', 'engine', 'dispatch'] as const;
export type Role = (typeof ROLES)[number];

/** What the database of DATABASE_URL may be. */
const DATABASE_VARIANTS = ['postgres', 'citus'] as const;
export type DatabaseVariant = (typeof DATABASE_VARIANTS)[number];

export interface Config {
  /** Folder of the embedded database, its log and the generated keys. */
  dataDir: string;
  /** One's own Postgres; absent means the embedded one in `dataDir`. */
  databaseUrl: string | undefined;
  /** Log-in of the role that may not own the tables; absent means `databaseUrl` with its role switched. */
  databaseAppUrl: string | undefined;
  /** Plain Postgres or Citus; absent: whichever the database is. */
  databaseVariant: DatabaseVariant | undefined;
  host: string;
  port: number;
  /** How vendors and browsers reach the hub. Never rebuilt from proxy headers: signatures depend on it. */
  publicUrl: string;
  roles: Role[];
  logLevel: string;
  /** Master keys of the envelope encryption, the current one first. */
  keys: MasterKey[];
  metricsToken: string | undefined;
  tracesUrl: string | undefined;
  /** Host names or addresses that user-given URLs may reach although they are private. */
  allowPrivateHosts: string[];
  /** Trust `X-Forwarded-For` of a proxy in front for rate limits and logs. */
  trustProxy: boolean;
  /** Named statements; off behind a pooler that cannot keep them. */
  preparedStatements: boolean;
  /** Everything else of the environment, for the credentials a connector names. */
  env: Record<string, string | undefined>;
}

export interface MasterKey {
  id: string;
  key: Buffer;
}

/** What is missing or wrong in the configuration; the program stops on it before it listens. */
export class ConfigError extends Error {
  readonly problems: string[];
  constructor(problems: string[]) {
    super(`The configuration does not work:\n${problems.map((problem) => `  - ${problem}`).join('\n')}`);
    this.name = 'ConfigError';
    this.problems = problems;
  }
}

const Env = Type.Object({
  RAPPORT_DATA: Type.String({ default: '.rapport' }),
  DATABASE_URL: Type.Optional(Type.String()),
  DATABASE_APP_URL: Type.Optional(Type.String()),
  DATABASE_VARIANT: Type.Optional(Type.String()),
  HOST: Type.String({ default: '127.0.0.1' }),
  PORT: Type.Integer({ default: 8080, minimum: 0, maximum: 65535 }),
  PUBLIC_URL: Type.Optional(Type.String()),
  ROLES: Type.String({ default: ROLES.join(',') }),
  LOG_LEVEL: Type.String({ default: 'info' }),
  RAPPORT_KEYS: Type.Optional(Type.String()),
  METRICS_TOKEN: Type.Optional(Type.String()),
  OTEL_EXPORTER_OTLP_ENDPOINT: Type.Optional(Type.String()),
  RAPPORT_ALLOW_PRIVATE: Type.String({ default: '' }),
  TRUST_PROXY: Type.Boolean({ default: false }),
  PREPARED_STATEMENTS: Type.Boolean({ default: true }),
});

const LOG_LEVELS = ['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'];
const WEB = /^https?:\/\//;
const isUrl = (text: string, start: RegExp): boolean => start.test(text) && URL.canParse(text);

const list = (text: string): string[] =>
  text
    .split(',')
    .map((item) => item.trim())
    .filter((item) => item !== '');

/**
 * Reads the configuration from environment variables.
 * @throws ConfigError naming every variable that is missing or wrong
 */
export function loadConfig(env: Record<string, string | undefined> = process.env): Config {
  let raw: Record<string, unknown>;
  try {
    raw = envSchema({ schema: Env as never, data: { ...env }, env: false }) as Record<string, unknown>;
  } catch (error) {
    throw new ConfigError([`An environment variable has the wrong form: ${(error as Error).message}.`]);
  }
  const problems: string[] = [];
  const roles = list(raw.ROLES as string);
  for (const role of roles) {
    if (!ROLES.includes(role as Role)) problems.push(`ROLES names "${role}"; the roles are ${ROLES.join(', ')}.`);
  }
  if (roles.length === 0) problems.push(`ROLES is empty; leave it out to run all of ${ROLES.join(', ')}.`);
  const dataDir = path.resolve(raw.RAPPORT_DATA as string);
  const databaseUrl = nonEmpty(raw.DATABASE_URL);
  // The value is not repeated: it holds a password.
  for (const name of ['DATABASE_URL', 'DATABASE_APP_URL'])
    if (nonEmpty(raw[name]) && !isUrl(nonEmpty(raw[name])!, /^postgres(ql)?:\/\//))
      problems.push(`${name} must be a URL that starts with postgres:// or postgresql://.`);
  const databaseAppUrl = nonEmpty(raw.DATABASE_APP_URL);
  if (databaseAppUrl && !databaseUrl)
    problems.push('DATABASE_APP_URL is set without DATABASE_URL; the embedded database has a role of its own.');
  const databaseVariant = nonEmpty(raw.DATABASE_VARIANT);
  if (databaseVariant && !DATABASE_VARIANTS.includes(databaseVariant as DatabaseVariant))
    problems.push(`DATABASE_VARIANT is "${databaseVariant}"; it is ${DATABASE_VARIANTS.join(' or ')}.`);
  const keys = readKeys(nonEmpty(raw.RAPPORT_KEYS), databaseUrl ? undefined : dataDir, problems);
  const publicUrl = nonEmpty(raw.PUBLIC_URL) ?? `http://${raw.HOST === '0.0.0.0' ? '127.0.0.1' : raw.HOST}:${raw.PORT}`;
  if (!isUrl(publicUrl, WEB))
    problems.push(
      `PUBLIC_URL "${publicUrl}" is not a URL; give the http(s) address under which browsers reach the hub.`,
    );
  const logLevel = (raw.LOG_LEVEL as string).trim().toLowerCase();
  if (!LOG_LEVELS.includes(logLevel))
    problems.push(`LOG_LEVEL is "${raw.LOG_LEVEL}"; the levels are ${LOG_LEVELS.join(', ')}.`);
  const tracesUrl = nonEmpty(raw.OTEL_EXPORTER_OTLP_ENDPOINT);
  if (tracesUrl && !isUrl(tracesUrl, WEB))
    problems.push('OTEL_EXPORTER_OTLP_ENDPOINT must be the http(s) address of a collector.');
  if (problems.length > 0) throw new ConfigError(problems);
  return {
    dataDir,
    databaseUrl,
    databaseAppUrl,
    databaseVariant: databaseVariant as DatabaseVariant | undefined,
    host: raw.HOST as string,
    port: raw.PORT as number,
    publicUrl: publicUrl.replace(/\/+$/, ''),
    roles: roles as Role[],
    logLevel,
    keys,
    metricsToken: nonEmpty(raw.METRICS_TOKEN),
    tracesUrl,
    allowPrivateHosts: list(raw.RAPPORT_ALLOW_PRIVATE as string),
    trustProxy: raw.TRUST_PROXY as boolean,
    preparedStatements: raw.PREPARED_STATEMENTS as boolean,
    env: { ...env },
  };
}

const nonEmpty = (value: unknown): string | undefined =>
  typeof value === 'string' && value.trim() !== '' ? value.trim() : undefined;

/** RAPPORT_KEYS is `id:base64,id:base64` (32 bytes each). With the embedded database a key file is made once. */
function readKeys(text: string | undefined, dataDir: string | undefined, problems: string[]): MasterKey[] {
  if (!text && !dataDir) {
    problems.push(
      "RAPPORT_KEYS is missing: it encrypts the credentials of the connected platforms and is required with DATABASE_URL. Make one with: node -e \"console.log('k1:'+require('crypto').randomBytes(32).toString('base64'))\"",
    );
    return [];
  }
  let source = text;
  try {
    source ??= keyFile(dataDir!);
  } catch (error) {
    problems.push(`RAPPORT_DATA "${dataDir}" is no folder that can be used: ${(error as Error).message}.`);
    return [];
  }
  const where = text ? 'RAPPORT_KEYS' : `The key file ${path.join(dataDir!, 'keys')}`;
  const keys: MasterKey[] = [];
  for (const item of list(source)) {
    const at = item.indexOf(':');
    const id = item.slice(0, at);
    const key = Buffer.from(item.slice(at + 1), 'base64');
    if (at < 1 || at > 100 || key.length !== 32)
      problems.push(`${where} must be a list of name:key pairs, each key 32 bytes in base64.`);
    else if (keys.some((known) => known.id === id)) problems.push(`${where} names the key "${id}" twice.`);
    else keys.push({ id, key });
  }
  if (list(source).length === 0) problems.push(`${where} holds no key.`);
  return keys;
}

function keyFile(dataDir: string): string {
  const file = path.join(dataDir, 'keys');
  if (existsSync(file)) return readFileSync(file, 'utf8').trim();
  mkdirSync(dataDir, { recursive: true });
  const made = `k1:${randomBytes(32).toString('base64')}`;
  try {
    writeFileSync(file, `${made}\n`, { mode: 0o600, flag: 'wx' });
    return made;
  } catch {
    // Another process made it between our look and our write; its key is the key.
    return readFileSync(file, 'utf8').trim();
  }
}
