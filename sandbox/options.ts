import { parseArgs } from 'node:util';
import type { Fault } from '../src/kit/sandbox/index.ts';
import { parseDuration, parseFault } from '../src/kit/sandbox/index.ts';

/** How a simulation is started by hand. */
export interface Options {
  connector: string;
  faults: readonly Fault[];
  lateIndexMs: number | undefined;
  port: number | undefined;
  seed: number | undefined;
  hook: string | undefined;
  empty: boolean;
}

export const USAGE = `npm run sandbox -- <connector> [options]

Starts the simulation of a vendor on this machine, filled with a small sample, until Ctrl+C.

  --fault <fault>       how it misbehaves; may be given again and again:
                        429  429:after=30s  cut  cut_after  silent  slow:200ms  malformed  truncated
                        rewrite:email=7  rewrite:email>mail  rewrite:email
                        each with a share (429:0.2), a number of times (cut:x3) and where ("503 @POST /crm/objects")
  --late-index <time>   lists and searches show a change that much later, such as 5s
  --port <number>       where it listens; any free port otherwise
  --seed <number>       the same seed and the same requests meet the same faults
  --hook <address>      where its webhooks go; the address of a hub on this machine otherwise
  --empty               no sample

  npm run sandbox -- hubspot --fault 429:0.2 --late-index 5s`;

/**
 * Reads the command line.
 * @throws Error that says what is wrong
 */
export function readOptions(args: readonly string[], connectors: readonly string[]): Options {
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: {
      fault: { type: 'string', multiple: true, default: [] },
      'late-index': { type: 'string' },
      port: { type: 'string' },
      seed: { type: 'string' },
      hook: { type: 'string' },
      empty: { type: 'boolean', default: false },
    },
  });
  const known = `The connectors are ${connectors.join(', ')}.`;
  const [connector, ...more] = positionals;
  if (connector === undefined) throw new Error(`Say which connector. ${known}`);
  if (more.length > 0) throw new Error(`One simulation at a time: "${more.join(' ')}" is one too many.`);
  if (!connectors.includes(connector)) throw new Error(`There is no connector "${connector}". ${known}`);
  const late = values['late-index'];
  const lateIndexMs = late === undefined ? undefined : parseDuration(late);
  if (late !== undefined && lateIndexMs === undefined)
    throw new Error(`--late-index "${late}" is no time, such as 5s or 200ms.`);
  if (values.hook !== undefined && !URL.canParse(values.hook))
    throw new Error(`--hook "${values.hook}" is not an address.`);
  return {
    connector,
    faults: values.fault.map(parseFault),
    lateIndexMs,
    port: whole('port', values.port, 65_535),
    seed: whole('seed', values.seed, 2 ** 32 - 1),
    hook: values.hook,
    empty: values.empty,
  };
}

function whole(name: string, text: string | undefined, most: number): number | undefined {
  if (text === undefined) return undefined;
  const value = Number(text);
  if (/^\d+$/.test(text) && value <= most) return value;
  throw new Error(`--${name} "${text}" is no whole number up to ${most}.`);
}
