import { afterAll, beforeAll, test } from 'vitest';
import { killChildren, startChild } from './support/children.ts';
import { beginStory, type Story } from './support/story.ts';

let story: Story;
beforeAll(async () => {
  story = await beginStory({ vendors: ['hubspot'], roles: 'api' });
});
afterAll(async () => {
  await killChildren();
  await story?.end();
});
test('time', async () => {
  for (let n = 0; n < 4; n++) {
    const t0 = Date.now();
    const c = await startChild(story, ['hubspot']);
    const t1 = Date.now();
    await c.tell({ do: 'waits' });
    console.log('@@ start', t1 - t0);
    const fs = await import('node:fs');
    const stat = fs.readFileSync(`/proc/${(c as any).pid}/stat`, 'utf8').split(' ');
    console.log('@@ cpu ms', (Number(stat[13]) + Number(stat[14])) * 10);
    await c.kill();
  }
});
