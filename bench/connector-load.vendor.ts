import { systemClock } from '../src/base/clock.ts';
import { loadRegistry } from '../src/registry.ts';

// A process of its own: whoever reads must not pay for whoever answers.
const { id, stream, count, limits, app } = JSON.parse(process.argv[2]!) as {
  id: string;
  stream: string;
  count: number;
  limits: boolean;
  app: Record<string, string>;
};

/** Records of one and the same second, as an import leaves them: few enough to be no matter of their own. */
const AT_ONCE = 50;

const connector = (await loadRegistry([id])).find(id)!;
const { start } = await connector.sandbox();
const vendor = await start({ clock: systemClock, app, limits, ...(limits ? { journal: 100_000 } : { journal: 0 }) });
const trial = vendor.trial!;
const first = Date.now() - 86_400_000;
for (let made = 0; made < count; made += AT_ONCE) {
  const at = new Date(first + Math.floor(made / AT_ONCE) * 1000);
  trial.streams[stream]!.create(Math.min(AT_ONCE, count - made), at);
}
const held = trial.streams[stream]!.ids().length;

process.on('message', () => {
  process.send!({ refused: trial.calls().filter(({ status }) => status === 429).length });
});
process.once('disconnect', () => process.exit(0));
process.send!({ hosts: vendor.hosts, credentials: vendor.credentials ?? {}, held });
