import { GROUPS, type VariableGroup, type VariableType } from './groups.ts';

/** A value texts may use. */
export interface Variable {
  /** As it is written between the braces, such as `customer.first_name`. */
  name: string;
  type: VariableType;
  /** In plain words. */
  meaning: string;
  example: unknown;
  /** Only in texts for staff, or in invitations to a survey. */
  only?: 'staff' | 'survey';
}

/** Where a text stands decides what it may use. */
export type TextScope = 'customer' | 'staff';

/** Every variable, in the order of the docs. Of lists, the members of one item are `<list>[].<name>`. */
export const VARIABLES: readonly Variable[] = Object.entries(GROUPS).flatMap(([name, group]) =>
  variablesOf(name, group),
);

function variablesOf(name: string, group: VariableGroup): Variable[] {
  const only = group.only ? { only: group.only } : {};
  if ('type' in group) return [{ name, type: group.type, meaning: group.meaning, example: group.example, ...only }];
  const prefix = group.list ? `${name}[]` : name;
  return [
    ...(group.list ? [{ name, type: 'list' as const, meaning: group.meaning, example: null, ...only }] : []),
    ...Object.entries(group.fields).map(([field, [type, meaning, example]]) => ({
      ...{ name: `${prefix}.${field}`, type, meaning, example },
      ...only,
    })),
    ...(group.open
      ? [
          {
            name: `${prefix}.${group.open.under ? `${group.open.under}.` : ''}*`,
            type: 'text' as const,
            ...group.open.told,
            ...only,
          },
        ]
      : []),
  ];
}

const BY_NAME = new Map(VARIABLES.map((variable) => [variable.name, variable]));

/** What `path` means: a variable, a group of them, any name below an open group, or nothing that is known. */
export function variableAt(path: readonly (string | number)[]): Variable | 'group' | 'any' | undefined {
  const [root, ...rest] = path;
  const group = typeof root === 'string' && Object.hasOwn(GROUPS, root) ? GROUPS[root] : undefined;
  if (!group) return undefined;
  if ('type' in group) return rest.length === 0 ? BY_NAME.get(String(root)) : undefined;
  if (group.list) return inList(String(root), rest);
  if (rest.length === 0) return 'group';
  const { open } = group;
  if (open?.under && rest[0] === open.under) return rest.length === 1 ? 'group' : 'any';
  if (open && !open.under) return 'any';
  return BY_NAME.get(path.join('.'));
}

/** A list itself, its size, or a member of one of its items. */
function inList(root: string, rest: readonly (string | number)[]): Variable | 'group' | 'any' | undefined {
  const [item, ...member] = rest;
  if (item === undefined) return BY_NAME.get(root);
  if (item === 'size' && member.length === 0) return 'any';
  if (typeof item !== 'number' && item !== 'first' && item !== 'last') return undefined;
  return member.length === 0 ? 'group' : BY_NAME.get(`${root}[].${member.join('.')}`);
}

/** Names to suggest for a wrong one. */
export const variableNames = (scope: TextScope): string[] =>
  VARIABLES.filter(({ only }) => only !== 'staff' || scope === 'staff').map(({ name }) => name.replace(/\.\*$/, ''));

/** Values for every variable, to try a text on when it is saved. */
export function exampleContext(scope: TextScope): Record<string, unknown> {
  const context: Record<string, unknown> = {};
  for (const [name, group] of Object.entries(GROUPS)) {
    if (group.only === 'staff' && scope !== 'staff') continue;
    if ('type' in group) context[name] = group.example;
    else {
      const item = Object.fromEntries(Object.entries(group.fields).map(([field, [, , example]]) => [field, example]));
      context[name] = group.list ? [item, item] : item;
    }
  }
  return { ...context, locale: 'en', zone: 'Europe/Berlin' };
}
