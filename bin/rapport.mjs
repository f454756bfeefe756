#!/usr/bin/env node
// The sources are TypeScript run directly, which needs the Node 24 that the `node` package brings along:
// an older Node only finds that binary and hands over to it.
import { spawn } from 'node:child_process';
import { createRequire, enableCompileCache } from 'node:module';
import { fileURLToPath } from 'node:url';

const cli = fileURLToPath(new URL('../src/cli.ts', import.meta.url));
const [major, minor] = process.versions.node.split('.').map(Number);

if (major > 24 || (major === 24 && minor >= 18)) {
  // Before the first TypeScript file: what is stripped and compiled once is not done again, which costs time and memory.
  enableCompileCache();
  await import('../src/cli.ts');
} else {
  let node;
  try {
    node = createRequire(import.meta.url).resolve('node/bin/node');
  } catch {
    console.error(
      `rapport needs Node 24.18 or newer and this is ${process.versions.node}. Run "npm ci" first: it brings one.`,
    );
    process.exit(1);
  }
  const child = spawn(node, [cli, ...process.argv.slice(2)], { stdio: 'inherit' });
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal));
  child.on('exit', (code, signal) => process.exit(signal ? 1 : (code ?? 1)));
}
