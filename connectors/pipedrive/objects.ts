import type { EntityKind } from '../../src/kit/index.ts';

/** A kind of record in version 2 of the API. */
export interface PipedriveObject {
  /** Name in paths, and of the stream. */
  name: string;
  title: string;
  /** Name in webhooks. */
  entity: string;
  kind: EntityKind;
  feature: string;
  after: string[];
  /** Path of its field definitions. */
  fields: string;
  /** Fields that come only when named. */
  include?: string;
}

export const OBJECTS: readonly PipedriveObject[] = [
  {
    ...{ name: 'organizations', title: 'Organizations', entity: 'organization', kind: 'company', feature: 'read' },
    ...{ after: ['owners'], fields: 'organizationFields' },
  },
  {
    ...{ name: 'persons', title: 'Persons', entity: 'person', kind: 'contact', feature: 'read' },
    ...{ after: ['owners', 'organizations'], fields: 'personFields', include: 'marketing_status' },
  },
  {
    ...{ name: 'deals', title: 'Deals', entity: 'deal', kind: 'deal', feature: 'read' },
    ...{ after: ['persons', 'deal_stages'], fields: 'dealFields' },
  },
  {
    ...{ name: 'activities', title: 'Activities', entity: 'activity', kind: 'activity', feature: 'read' },
    ...{ after: ['persons'], fields: 'activityFields', include: 'attendees' },
  },
];

const WORDS: Record<string, string> = {
  contact: 'persons',
  person: 'persons',
  company: 'organizations',
  organization: 'organizations',
  deal: 'deals',
  task: 'activities',
  activity: 'activities',
};

/** The kind of record a word of ours means; undefined when Pipedrive has no such thing. */
export const objectOf = (word: string): PipedriveObject | undefined =>
  OBJECTS.find(({ name }) => name === (WORDS[word] ?? word));

/** The record an action is about, the person first. */
export function recordAbout(
  about: Record<string, string | undefined>,
): { object: PipedriveObject; id: string } | undefined {
  for (const kind of ['contact', 'deal', 'company'])
    if (about[kind]) return { object: objectOf(kind)!, id: about[kind] };
  return undefined;
}

/** Fields that every account has; what else is named is looked for among the account's own. */
export const NATIVE: Record<string, readonly string[]> = {
  persons: [
    'name',
    'owner_id',
    'org_id',
    'emails',
    'phones',
    'visible_to',
    'label_ids',
    'postal_address',
    'notes',
  ].concat(['im', 'birthday', 'job_title', 'marketing_status']),
  organizations: ['name', 'owner_id', 'visible_to', 'label_ids', 'address', 'website', 'linkedin', 'industry'].concat([
    'annual_revenue',
    'employee_count',
  ]),
  deals: ['title', 'owner_id', 'person_id', 'org_id', 'pipeline_id', 'stage_id', 'value', 'currency', 'status'].concat(
    ['probability', 'lost_reason', 'visible_to', 'close_time', 'won_time', 'lost_time', 'expected_close_date'],
    ['label_ids', 'is_archived'],
  ),
  activities: ['subject', 'type', 'owner_id', 'deal_id', 'org_id', 'due_date', 'due_time', 'duration', 'busy'].concat([
    'done',
    'note',
    'priority',
    'public_description',
  ]),
};
