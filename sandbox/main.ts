import { connectorNames } from '../src/registry.ts';
import { readOptions, USAGE } from './options.ts';
import { type Started, startByHand } from './run.ts';

const args = process.argv.slice(2);
if (args.includes('--help') || args.includes('-h')) {
  process.stdout.write(`${USAGE}\n\nConnectors: ${connectorNames().join(', ')}\n`);
  process.exit(0);
}

let started: Started;
try {
  started = await startByHand(readOptions(args, connectorNames()), process.env);
} catch (error) {
  process.stderr.write(`${(error as Error).message}\nSee npm run sandbox -- --help.\n`);
  process.exit(1);
}
for (const signal of ['SIGINT', 'SIGTERM'] as const)
  process.once(signal, () => void started.stop().finally(() => process.exit(0)));
process.stdout.write(`${started.told.join('\n')}\n`);
