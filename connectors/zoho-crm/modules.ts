import type { EntityKind } from '../../src/kit/index.ts';

/** A module of Zoho CRM and what is made of its records. */
export interface Module {
  stream: string;
  title: string;
  /** API name. */
  name: string;
  entity: EntityKind;
  feature: string;
  after: string[];
  /** Setting that names another module in its place, such as a custom one. */
  setting?: string;
}

export const MODULES: readonly Module[] = [
  { stream: 'accounts', title: 'Accounts', name: 'Accounts', entity: 'company', feature: 'read', after: ['owners'] },
  {
    stream: 'contacts',
    title: 'Contacts',
    name: 'Contacts',
    entity: 'contact',
    feature: 'read',
    after: ['owners', 'accounts'],
  },
  { stream: 'leads', title: 'Leads', name: 'Leads', entity: 'contact', feature: 'read', after: ['owners'] },
  {
    stream: 'deals',
    title: 'Deals',
    name: 'Deals',
    entity: 'deal',
    feature: 'read',
    after: ['contacts', 'accounts', 'deal_stages'],
  },
  { stream: 'cases', title: 'Cases', name: 'Cases', entity: 'ticket', feature: 'read', after: ['contacts'] },
  {
    stream: 'invoices',
    title: 'Invoices',
    name: 'Invoices',
    entity: 'invoice',
    feature: 'inventory',
    after: ['contacts', 'accounts'],
  },
  {
    stream: 'jobs',
    title: 'Sales orders, or another module of services',
    name: 'Sales_Orders',
    entity: 'job',
    feature: 'inventory',
    after: ['contacts', 'accounts'],
    setting: 'jobModule',
  },
  { stream: 'tasks', title: 'Tasks', name: 'Tasks', entity: 'activity', feature: 'activities', after: ['contacts'] },
  {
    stream: 'events',
    title: 'Meetings',
    name: 'Events',
    entity: 'activity',
    feature: 'activities',
    after: ['contacts'],
  },
];

const API_NAME = /^[A-Za-z0-9_]{1,100}$/;

/** API name of a stream's module: its own, or the one the connection names instead. */
export function moduleName(module: Module, settings: Readonly<Record<string, unknown>>): string {
  const other = module.setting ? settings[module.setting] : undefined;
  return typeof other === 'string' && API_NAME.test(other) ? other : module.name;
}

const OBJECTS: Record<string, string> = {
  contact: 'Contacts',
  lead: 'Leads',
  company: 'Accounts',
  deal: 'Deals',
  ticket: 'Cases',
  invoice: 'Invoices',
  task: 'Tasks',
  event: 'Events',
};

/** API name for a word of ours; an API name stays what it is. */
export const moduleOf = (object: string): string => OBJECTS[object] ?? object;

/** The record an action is about, the person first; undefined when it is about none. */
export function recordAbout(about: Record<string, string | undefined>): { module: string; id: string } | undefined {
  for (const kind of ['contact', 'deal', 'ticket', 'invoice', 'company'])
    if (about[kind]) return { module: moduleOf(kind), id: about[kind] };
  return undefined;
}

/** Stream a module's records are in; undefined for modules nobody reads. */
export const streamOf = (name: string, settings: Readonly<Record<string, unknown>> = {}): string | undefined =>
  MODULES.find((module) => moduleName(module, settings) === name)?.stream;
