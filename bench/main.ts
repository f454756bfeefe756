import { execSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import type { Result, Spread } from './figures.ts';
import { apart } from './hub.ts';

const BENCHES: Record<string, () => Promise<Result>> = {
  startup: async () => (await import('./startup.ts')).startup(),
  latency: async () => (await import('./latency.ts')).latency(),
  ingest: () => apart(new URL('./ingest.ts', import.meta.url), 'ingest'),
  remap: async () => (await import('./remap.ts')).remap(),
  sandbox: async () => (await import('./sandbox.ts')).sandbox(),
  mapping: async () => (await import('./mapping.ts')).mapping(),
  dispatch: async () => (await import('./dispatch.ts')).dispatch(),
  advance: async () => (await import('./advance.ts')).advanceBench(),
  segments: async () => (await import('./segments.ts')).segments(),
  score: async () => (await import('./score.ts')).score(),
  detect: async () => (await import('./detect.ts')).detect(),
  forecast: async () => (await import('./forecast.ts')).forecast(),
  fairness: async () => (await import('./fairness.ts')).fairness(),
  'connector-load': async () => (await import('./connector-load.ts')).connectorLoad(),
};

const { values: options, positionals } = parseArgs({
  allowPositionals: true,
  options: { json: { type: 'boolean', default: false }, 'no-save': { type: 'boolean', default: false } },
});
const names = positionals.length > 0 ? positionals : Object.keys(BENCHES);
const unknown = names.filter((name) => !BENCHES[name]);
if (unknown.length > 0) {
  process.stderr.write(`There is no bench ${unknown.join(', ')}; there are ${Object.keys(BENCHES).join(', ')}.\n`);
  process.exit(1);
}

/** What the figures were measured on; they mean little on another machine. */
function machine(): Record<string, string | number> {
  let commit = 'unknown';
  try {
    commit = execSync('git rev-parse --short HEAD', { stdio: ['ignore', 'pipe', 'ignore'] })
      .toString()
      .trim();
  } catch {
    // Not every copy is a checkout.
  }
  return {
    cpu: os.cpus()[0]?.model.trim() ?? 'unknown',
    cores: os.cpus().length,
    memoryGb: Math.round(os.totalmem() / 1024 ** 3),
    load: Math.round(os.loadavg()[0]! * 10) / 10,
    os: `${os.type()} ${os.release()}`,
    node: process.versions.node,
    commit,
  };
}

const figure = (value: number | Spread): string =>
  typeof value === 'number' ? String(value) : `p50 ${value.p50}, p95 ${value.p95}, p99 ${value.p99} (n ${value.n})`;

for (const name of names) {
  const at = new Date();
  const document = { at: at.toISOString(), machine: machine(), ...(await BENCHES[name]!()) };
  if (!options['no-save']) {
    const folder = fileURLToPath(new URL('./results', import.meta.url));
    mkdirSync(folder, { recursive: true });
    writeFileSync(`${folder}/${at.toISOString().slice(0, 10)}-${name}.json`, `${JSON.stringify(document, null, 2)}\n`);
  }
  if (options.json) process.stdout.write(`${JSON.stringify(document)}\n`);
  else {
    const lines = [
      `${name}: ${document.what}`,
      ...Object.entries(document.figures).map(([key, value]) => `  ${key.padEnd(34)} ${figure(value)}`),
      ...Object.entries(document.ratios).map(([key, value]) => `  ${key.padEnd(34)} ${value}`),
      `  aim: ${document.aim}: ${document.met ? 'met' : 'NOT met'}`,
    ];
    process.stdout.write(`${lines.join('\n')}\n`);
  }
}
