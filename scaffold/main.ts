import { fileURLToPath } from 'node:url';
import { nextSteps, scaffold } from './scaffold.ts';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const [name, ...more] = process.argv.slice(2);

if (name === undefined || more.length > 0 || name.startsWith('-')) {
  process.stderr.write(
    'npm run new-connector -- <name>\n\nMakes a connector that works, to be turned into another one.\n',
  );
  process.exit(name === '--help' || name === '-h' ? 0 : 1);
}
try {
  const made = scaffold(ROOT, name);
  process.stdout.write(`${made.map((file) => `  ${file}`).join('\n')}\n\n${nextSteps(name)}\n`);
} catch (error) {
  process.stderr.write(`${(error as Error).message}\n`);
  process.exit(1);
}
