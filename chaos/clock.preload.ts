import { createRequire, syncBuiltinESMExports } from 'node:module';
import { systemClock } from '../src/base/clock.ts';
import { sharedClock } from './clock.ts';

// Loaded before the program (`node --import`): the hub is the real one, on a clock that can be moved.
const file = process.env.CHAOS_CLOCK;
if (file) {
  Object.assign(systemClock, sharedClock(file));
  // A process that stands still while the clock is moved would take that for overload and turn requests away; so would
  // one on a machine that is busy with other things. Neither is what is tried here.
  const hooks = createRequire(import.meta.url)('node:perf_hooks') as Record<string, unknown>;
  hooks.monitorEventLoopDelay = () => ({ mean: 0, enable: () => true, disable: () => true, reset: () => {} });
  syncBuiltinESMExports();
}
