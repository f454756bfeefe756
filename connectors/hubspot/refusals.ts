import { at, listAt, type Reply, textAt } from '../../src/kit/index.ts';

/**
 * HubSpot's sentence for people. It lists the values it refuses as JSON inside of its sentence, and the permissions it
 * misses beside it.
 */
export function refusalOf({ body }: Reply): string | undefined {
  const message = textAt(body, 'message');
  const scopes = listAt(body, 'errors').flatMap((error) =>
    ['requiredGranularScopes', 'requiredScopes'].flatMap((name) => listAt(at(error, 'context'), name).map(String)),
  );
  if (scopes.length > 0)
    return `The access to HubSpot does not cover this: ${[...new Set(scopes)].join(', ')} is missing. Authorise the connection again.`;
  const from = message?.indexOf('[{') ?? -1;
  if (message === undefined || from < 0) return message;
  const values = parsed(message.slice(from)).map((value) => `${textAt(value, 'name')}: ${textAt(value, 'message')}`);
  return values.length > 0 ? `${message.slice(0, from)}${values.join('; ')}` : message;
}

function parsed(text: string): unknown[] {
  try {
    const values: unknown = JSON.parse(text);
    return Array.isArray(values) ? values : [];
  } catch {
    return [];
  }
}
