import { type Clock, hmacSha256 } from '../../src/kit/index.ts';
import type { Delivery } from '../../src/kit/sandbox/index.ts';

/** One change as the vendor announces it. */
export interface Announced {
  realm?: string;
  entity: string;
  /** created, updated, deleted, merged, voided or emailed. */
  operation: string;
  id: string;
  /** The record a merge took away. */
  deletedId?: string;
  /** Of the event, to send one again. */
  eventId?: string;
  at?: Date;
}

/** A change with everything the vendor says of it. */
type Filled = Announced & { realm: string; at: Date; eventId: string };

export type HookForm = 'cloudevents' | 'legacy';

/** One event of the form since 2026. */
export const cloudEvent = (change: Filled): object => ({
  specversion: '1.0',
  id: change.eventId,
  source: 'intuit.simulation',
  type: `qbo.${change.entity.toLowerCase()}.${change.operation}.v1`,
  time: change.at.toISOString(),
  intuitentityid: change.id,
  intuitaccountid: change.realm,
  ...(change.deletedId ? { data: { deletedid: change.deletedId } } : {}),
});

const OPERATIONS: Record<string, string> = {
  created: 'Create',
  updated: 'Update',
  deleted: 'Delete',
  merged: 'Merge',
  voided: 'Void',
  emailed: 'Emailed',
};

/** The form before: companies, each with its list. */
function legacy(changes: readonly Filled[]): object {
  const realms = [...new Set(changes.map((change) => change.realm))];
  const entityOf = (change: Filled): object => ({
    name: change.entity,
    id: change.id,
    operation: OPERATIONS[change.operation] ?? change.operation,
    lastUpdated: change.at.toISOString(),
    ...(change.deletedId ? { deletedId: change.deletedId } : {}),
  });
  const notification = (realmId: string): object => ({
    realmId,
    dataChangeEvent: { entities: changes.filter((change) => change.realm === realmId).map(entityOf) },
  });
  return { eventNotifications: realms.map(notification) };
}

export interface Announcer {
  /** Posts changes, signed, in one post; in the form given or the current one. */
  announce(changes: readonly Announced[], form?: HookForm): Promise<Delivery>;
  /** Posts any body under any signature; signed rightly when none is given, unsigned for null. */
  postRaw(body: string, signature?: string | null): Promise<Delivery>;
}

export interface AnnouncerOptions {
  clock: Clock;
  verifier: string;
  /** Of the company a change is about when it names none. */
  realm: string;
  form: () => HookForm;
  post: (body: string, headers: Record<string, string>) => Promise<Delivery>;
}

/** Tells the hub of changes as the vendor does: one address, signed with the verifier token of the app. */
export function createAnnouncer({ clock, verifier, realm, form, post }: AnnouncerOptions): Announcer {
  let count = 0;
  const sign = (body: string): string => hmacSha256(verifier, body).toString('base64');
  const postRaw: Announcer['postRaw'] = (body, signature = sign(body)) =>
    post(body, {
      'content-type': 'application/json',
      ...(signature === null ? {} : { 'intuit-signature': signature }),
    });
  return {
    postRaw,
    announce(changes, as = form()) {
      const filled = changes.map((change) => ({
        eventId: `evt-${++count}-${change.entity}-${change.id}`,
        realm,
        at: clock.now(),
        ...change,
      }));
      return postRaw(JSON.stringify(as === 'legacy' ? legacy(filled) : filled.map(cloudEvent)));
    },
  };
}
