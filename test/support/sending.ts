import { handlersOf } from './handlers.ts';
import { MINUTE } from './hub.ts';
import type { Row, Story } from './story.ts';

/** Sends what is due, once, on a hub that does not do so by itself. */
export const dispatch = (story: Story): Promise<void> =>
  handlersOf(story.hub).get('dispatch')!({ tenantId: story.tenantId });

/** Asks the platforms about what is unknown, once. */
export const reconcile = (story: Story): Promise<void> =>
  handlersOf(story.hub).get('reconcile')!({ tenantId: story.tenantId });

/** Half an hour passes, in which the hub looks at everything that could still change by itself. */
export async function lookAfter(story: Story, id: string): Promise<Row> {
  for (let minutes = 0; minutes < 30; minutes += 3) {
    story.clock.advance(3 * MINUTE);
    await reconcile(story);
    await dispatch(story);
  }
  return story.action(id);
}
